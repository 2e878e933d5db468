package pipeline

import (
	"fmt"
)

// exampleWorkspace is where the embedded example lives, in the current folder.
const exampleWorkspace = "example.mpqc"

// withExample puts the embedded example into its workspace, where that is what a run is for.
func withExample(o Options) (Options, error) {
	if o.Model == "" && !fileExists(o.Workspace) {
		return o, fmt.Errorf("%w: no model given and no workspace here; mpqc import MODEL.onnx makes one", ErrUsage)
	}
	return o, nil
}
