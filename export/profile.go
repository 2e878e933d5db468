package export

import (
	"fmt"
	"strings"
)

// ProfileORT is the dialect that the CPU provider of onnxruntime fuses into QLinear kernels.
const ProfileORT = "ort"

// profile is the dialect of one runtime.
type profile struct {
	name     string
	maxOpset int64 // newest operator set whose QuantizeLinear the runtime's fusions know
	// build rewrites the float graph. It runs on a copy.
	build func(*exporter) error
	rules []rule
}

// profiles lists the dialects. A further one is a file with a build function and lint rules, and a row here.
func profiles() []profile {
	return []profile{
		{name: ProfileORT, maxOpset: 21, build: buildORT, rules: rulesORT()},
	}
}

// Profiles lists the names that Options.Profile takes.
func Profiles() []string {
	var names []string
	for _, p := range profiles() {
		names = append(names, p.name)
	}
	return names
}

func profileByName(name string) (profile, error) {
	for _, p := range profiles() {
		if p.name == name {
			return p, nil
		}
	}
	return profile{}, fmt.Errorf("profile %q is unknown; there are: %s", name, strings.Join(Profiles(), ", "))
}
