package op

// moves put elements elsewhere, select them, or repeat them.
var moves = []Row{
	{Name: "AffineGrid", Min: 2, Max: 2, Since: 20},
	{Name: "CenterCropPad", Min: 2, Max: 2, Since: 18},
	{Name: "Col2Im", Min: 3, Max: 3, Since: 18},
	{Name: "Compress", Min: 2, Max: 2, Since: 9, Traits: Counts},
	{Name: "Concat", Min: 1, Max: Any, Legacy: AsIs, Stream: Joins, Traits: AlongAxis, Axis: -1},
	{Name: "DepthToSpace", Min: 1, Max: 1, Legacy: AsIs, Batch: BatchOpened},
	{Name: "Expand", Min: 2, Max: 2, Since: 8, Legacy: AsIs, Batch: BatchOpened},
	{Name: "Flatten", Min: 1, Max: 1, Legacy: AsIs, Traits: View | Preserving | InOrder},
	{Name: "Gather", Min: 2, Max: 2, Legacy: AsIs, Batch: BatchByAxis, Traits: AlongAxis | Carries},
	{Name: "GatherElements", Min: 2, Max: 2, Since: 11, Legacy: AsIs},
	{Name: "GatherND", Min: 2, Max: 2, Since: 11, Legacy: AsIs},
	{Name: "GridSample", Min: 2, Max: 2, Since: 16},
	{Name: "Identity", Min: 1, Max: 1, Legacy: AsIs, Batch: BatchKept, Traits: Preserving | Carries},
	{Name: "NonMaxSuppression", Min: 2, Max: 5, Since: 10, Legacy: AsIs, Traits: Counts},
	{Name: "NonZero", Min: 1, Max: 1, Since: 9, Legacy: AsIs, Traits: Counts},
	{Name: "OneHot", Min: 3, Max: 3, Since: 9, Legacy: AsIs},
	{Name: "Pad", Min: 1, Max: 4, Legacy: Rewritten, Traits: View},
	// Up to set 4 the target of a Reshape was an attribute.
	{Name: "Reshape", Min: 1, Max: 2, Legacy: AsIs, Traits: View | Preserving | InOrder},
	{Name: "Resize", Min: 1, Max: 4, Since: 10, Changed: 18, Traits: Comparable},
	{Name: "ReverseSequence", Min: 2, Max: 2, Since: 10, Legacy: AsIs},
	{Name: "Scatter", Min: 3, Max: 3, Since: 9},
	{Name: "ScatterElements", Min: 3, Max: 3, Since: 11, Legacy: AsIs},
	{Name: "ScatterND", Min: 3, Max: 3, Since: 11, Legacy: AsIs},
	{
		Name: "Slice", Min: 1, Max: 5, Legacy: Rewritten, Moved: []string{"starts", "ends", "axes"},
		Batch: BatchOpenedByAxes, Traits: View | Preserving,
	},
	{Name: "SpaceToDepth", Min: 1, Max: 1, Legacy: AsIs, Batch: BatchOpened},
	{
		Name: "Split", Min: 1, Max: 2, Legacy: Rewritten, Moved: []string{"split"}, Changed: 18, Batch: BatchByAxis,
		Traits: AlongAxis | Comparable,
	},
	{
		Name: "Squeeze", Min: 1, Max: 2, Legacy: Rewritten, Moved: []string{"axes"}, Batch: BatchByAxes,
		Traits: View | Preserving | InOrder,
	},
	{Name: "TensorScatter", Min: 2, Max: 3, Since: 24},
	{Name: "Tile", Min: 2, Max: 2, Legacy: AsIs},
	{Name: "TopK", Min: 1, Max: 2},
	{Name: "Transpose", Min: 1, Max: 1, Legacy: AsIs, Traits: View | Preserving},
	{Name: "Trilu", Min: 1, Max: 2, Since: 14},
	{Name: "Unique", Min: 1, Max: 1, Since: 11, Traits: Counts},
	{
		Name: "Unsqueeze", Min: 1, Max: 2, Legacy: Rewritten, Moved: []string{"axes"}, Batch: BatchByAxes,
		Traits: View | Preserving | InOrder,
	},
	{Name: "Upsample", Min: 1, Max: 2},
}
