package engine

// Apart makes Compile give every buffer memory of its own.
func Apart(o Options) Options {
	o.apart = true
	return o
}
