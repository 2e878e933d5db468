package export

import "github.com/mpqc/mpqc/quantize"

// supernetVersion is that of files of all profiles: see SupernetVersion.
const supernetVersion = 3

// SupernetVersion rises when SupernetFor gives another supernet of the same arguments.
func SupernetVersion(name string) int {
	p, err := profileByName(name)
	if err != nil {
		return supernetVersion
	}
	return supernetVersion + p.supernet
}

// Pairing says which weights meet in 16 bits in the runtime of a profile, on x86 CPUs without VNNI. Files of a profile
// bound such pairs, so that they compute the same on every CPU. Unpaired are the weights of profiles whose runtimes add in 32 bits: GPUs, DSPs
// and logic.
func Pairing(name string) quantize.Pairing {
	p, err := profileByName(name)
	if err != nil {
		return quantize.Unpaired
	}
	return p.pairs
}

// SupernetFor is the supernet as files of a profile hold a policy, with the names of the layers that differ: see
// quantize.LimitPairs.
func SupernetFor(name string, plan *quantize.Plan, s *quantize.Supernet, p quantize.Policy) (*quantize.Supernet, []string, error) {
	return quantize.LimitPairs(plan, s, p, Pairing(name))
}
