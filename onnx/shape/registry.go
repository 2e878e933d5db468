package shape

// rules lists the operators of ONNX's own domain that shapes can be inferred for. Where the form that the table of
// operators gives is not all, a family has a rule in its place.
func rules() map[string]rule {
	all := map[string]rule{}
	for _, family := range []map[string]rule{
		formRules(), elementwiseRules(), broadcastRules(), convRules(), poolRules(), matmulRules(), normRules(), reduceRules(),
		reshapeRules(), layoutRules(), sliceRules(), constantRules(), quantRules(), resizeRules(),
	} {
		for op, r := range family {
			all[op] = r
		}
	}
	return all
}
