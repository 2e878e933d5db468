package stage

// Artifacts that several stages read; each of the others stands beside the stage that writes it.
const (
	FloatFile    = "float.onnx"               // the normalised float model
	CoreFile     = "core.onnx"                // its part that is trained, where that is not all and too large for memory
	ImportFile   = "import.json"              // layers, groups, and why nodes stay float
	StartFile    = "calibrated.safetensors"   // the supernet that training begins with
	SupernetFile = "supernet.safetensors"     // the supernet after training
	CodesFile    = "codes.safetensors"        // codes of its weights at every width, and the step sizes that suit them
	TrainingFile = "training.json"            // the course of the training that made it
	GuidesFile   = "front.json"               // the policies near which training draws its random paths
	SurveyFile   = "scores/sensitivity.json"  // what all targets of a supernet share
	FloatScores  = "scores/float.safetensors" // outputs of the float model for the test samples

	TunedSuffix = ".polished.safetensors" // ends the file of a policy that was trained alone
)
