package op

// pools take one number of every window, or of the whole plane.
var pools = []Row{
	{Name: "AveragePool", Min: 1, Max: 1, Legacy: AsIs, Batch: BatchKept, Stream: Averages, Traits: Window | Pool},
	{Name: "GlobalAveragePool", Min: 1, Max: 1, Legacy: AsIs, Batch: BatchKept, Stream: Averages, Traits: Pool},
	{Name: "GlobalLpPool", Min: 1, Max: 1, Legacy: AsIs, Batch: BatchOpened},
	{Name: "GlobalMaxPool", Min: 1, Max: 1, Legacy: AsIs, Batch: BatchKept},
	{Name: "LpPool", Min: 1, Max: 1, Legacy: AsIs, Batch: BatchOpened},
	{Name: "MaxPool", Min: 1, Max: 1, Legacy: AsIs, Batch: BatchKept, Traits: View | Preserving | Window | Pool},
	{Name: "MaxRoiPool", Min: 2, Max: 2},
	{Name: "MaxUnpool", Min: 2, Max: 3, Since: 9},
	{Name: "RoiAlign", Min: 3, Max: 3, Since: 10},
}

// reductions take one number of all elements along some axes.
var reductions = []Row{
	{Name: "ArgMax", Min: 1, Max: 1, Legacy: AsIs, Batch: BatchByAxis},
	{Name: "ArgMin", Min: 1, Max: 1, Legacy: AsIs},
	{Name: "ReduceL1", Min: 1, Max: 2, Legacy: AsIs, Changed: 18, Form: Reduced, Batch: BatchOpenedByAxes},
	{Name: "ReduceL2", Min: 1, Max: 2, Legacy: AsIs, Changed: 18, Form: Reduced, Batch: BatchOpenedByAxes},
	{Name: "ReduceLogSum", Min: 1, Max: 2, Legacy: AsIs, Changed: 18, Form: Reduced},
	{Name: "ReduceLogSumExp", Min: 1, Max: 2, Legacy: AsIs, Changed: 18, Form: Reduced},
	{Name: "ReduceMax", Min: 1, Max: 2, Legacy: AsIs, Changed: 18, Form: Reduced, Batch: BatchOpenedByAxes},
	{Name: "ReduceMean", Min: 1, Max: 2, Legacy: AsIs, Changed: 18, Form: Reduced, Batch: BatchByAxes, Stream: Averages},
	{Name: "ReduceMin", Min: 1, Max: 2, Legacy: AsIs, Changed: 18, Form: Reduced, Batch: BatchOpenedByAxes},
	{Name: "ReduceProd", Min: 1, Max: 2, Legacy: AsIs, Changed: 18, Form: Reduced},
	{
		Name: "ReduceSum", Min: 1, Max: 2, Legacy: Rewritten, Moved: []string{"axes"}, Form: Reduced,
		Batch: BatchOpenedByAxes,
	},
	{Name: "ReduceSumSquare", Min: 1, Max: 2, Legacy: AsIs, Changed: 18, Form: Reduced, Batch: BatchOpenedByAxes},
}
