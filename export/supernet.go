package export

import "github.com/mpqc/mpqc/quantize"

// supernetVersion is that of files of all profiles: see SupernetVersion.
const supernetVersion = 3

// SupernetVersion rises when Supernet gives another supernet of the same arguments.
func (p Profile) SupernetVersion() int { return supernetVersion + p.supernet }

// Supernet is the supernet as files of the profile hold a policy, with the names of the layers that differ: see
// quantize.LimitPairs.
func (p Profile) Supernet(plan *quantize.Plan, s *quantize.Supernet, policy quantize.Policy) (*quantize.Supernet, []string, error) {
	return quantize.LimitPairs(plan, s, policy, p.Pairs)
}
