package quantize

import "github.com/mpqc/mpqc/onnx"

// WeightAxes are the axes of a node's weights that count output channels, and input channels of a group.
func WeightAxes(n *onnx.Node) (out, in int) { return n.Traits().Kind.Axes(n.Int("transB", 0) != 0) }

// Terms is the number of weights of an output channel, which is how many products the layer adds up.
func (l *Layer) Terms() int { return l.Shape.Numel() / l.OutChannels }

// Inner is the number of weights of one output channel that lie side by side: element i of the weights is of channel
// i/Inner mod OutChannels.
func (l *Layer) Inner() int { return l.Shape[l.Axis+1:].Numel() }

// InGroups is the number of groups of channels that do not see each other, 1 where all see all.
func (l *Layer) InGroups() int { return max(l.Groups, 1) }

// Apart reports whether the layer computes every channel by itself, in as many groups as output channels.
func (l *Layer) Apart() bool { return l.Depthwise && l.Groups == l.OutChannels }
