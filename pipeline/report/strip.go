package report

import (
	"fmt"
	"math"
	"strconv"

	"github.com/mpqc/mpqc/pipeline/record"
)

// strip shows a policy along the network. A column per layer shows its bits, its share of operations and of the size,
// and the loss at its lowest width alone.
type strip struct {
	Columns    []column
	Many, Some bool // too many columns for numbers: on any screen, on a phone
	Named      bool // few enough for names below the columns
	Searched   bool
	Sensitive  bool
	Samples    int
	MaxLoss    float64
	FloatBytes int64 // of what is not packed
}

// column is one layer. Heights are percentages of their rows.
type column struct {
	place
	share
	sensitivity
	W, A    int
	Fixed   bool
	HeightW string
	HeightA string
}

// place is where a column stands.
type place struct {
	Node, Op string
	Number   int
	Label    string // below the column: a name, or a number now and then
	Minor    bool   // a label that a phone has no space for
}

// share is what a layer takes of the whole.
type share struct {
	BitOPs       float64
	Bytes        float64
	MACs, Params int64
	HeightOps    string
	HeightBytes  string
}

// sensitivity is what a layer loses at its lowest widths, above the loss with everything at its widest.
type sensitivity struct {
	LossW, LossA *float64
	HeightLossW  string
	HeightLossA  string
	LowW, LowA   int
}

// Numbers do not fit into manyColumns or more columns, and on a phone not into someColumns or more.
const (
	manyColumns = 40
	someColumns = 16
	// With at most namedColumns columns, names stand below them; otherwise numbers.
	namedColumns = 20
)

// label numbers column c of of columns, or names it in a small network.
func (s *strip) label(c *column, of int) {
	every := 1
	switch {
	case of > 150:
		every = 20
	case of > 60:
		every = 5
	}
	s.Named = of <= namedColumns
	switch c.Minor = s.Some && !s.Named && c.Number%10 != 0; {
	case s.Named:
		c.Label = c.Node
	case c.Number == 1 || c.Number%every == 0:
		c.Label = strconv.Itoa(c.Number)
	}
}

// newStrip shows result i of a document.
func newStrip(doc document, i int) strip {
	rows := doc.Result.Results[i].Policy
	s := strip{Many: len(rows) > manyColumns, Some: len(rows) > someColumns}
	info := map[string]record.ImportLayer{}
	for _, l := range doc.Artifacts.Layers {
		info[l.Node] = l
	}
	var bitops, bits float64
	for _, r := range rows {
		bitops += float64(r.W) * float64(r.A) * float64(r.MACs)
		bits += float64(r.W) * float64(r.Params)
	}
	var mostOps, mostBytes float64
	for i, r := range rows {
		l := info[r.Node]
		c := column{
			place: place{Node: r.Node, Number: i + 1, Op: l.Op}, share: share{MACs: r.MACs, Params: r.Params}, W: r.W, A: r.A, Fixed: l.Fixed,
			HeightW: height(float64(r.W), 8), HeightA: height(float64(r.A), 8),
		}
		if bitops > 0 && bits > 0 {
			c.BitOPs, c.Bytes = float64(r.W)*float64(r.A)*float64(r.MACs)/bitops, float64(r.W)*float64(r.Params)/bits
		}
		s.label(&c, len(rows))
		mostOps, mostBytes = max(mostOps, c.BitOPs), max(mostBytes, c.Bytes)
		s.Columns = append(s.Columns, c)
	}
	for k := range s.Columns {
		c := &s.Columns[k]
		c.HeightOps, c.HeightBytes = height(c.BitOPs, mostOps), height(c.Bytes, mostBytes)
	}
	s.sense(doc.Artifacts.Sensitivity)
	return s
}

// sense fills in the losses of single layers.
func (s *strip) sense(m *record.Sensitivity) {
	if m == nil {
		return
	}
	of := map[string]record.LayerSensitivity{}
	for _, l := range m.Layers {
		of[l.Node] = l
		if l.W > 0 {
			s.MaxLoss = max(s.MaxLoss, l.LossW-m.Base)
		}
		if l.A > 0 {
			s.MaxLoss = max(s.MaxLoss, l.LossA-m.Base)
		}
	}
	s.Sensitive, s.Samples = s.MaxLoss > 0, m.Samples
	for i := range s.Columns {
		c, l := &s.Columns[i], of[s.Columns[i].Node]
		if c.LowW = l.W; l.W > 0 {
			v := max(l.LossW-m.Base, 0)
			c.LossW, c.HeightLossW = &v, decades(v, s.MaxLoss)
		}
		if c.LowA = l.A; l.A > 0 {
			v := max(l.LossA-m.Base, 0)
			c.LossA, c.HeightLossA = &v, decades(v, s.MaxLoss)
		}
	}
}

// lowestDecade is where the rows of sensitivity end, relative to the largest value. One layer is often a hundred times
// as sensitive as the next.
const lowestDecade = 1e-4

// decades is a height on a logarithmic scale.
func decades(v, of float64) string {
	if v <= of*lowestDecade {
		return "0"
	}
	return height(1-math.Log10(v/of)/math.Log10(lowestDecade), 1)
}

// height formats a percentage for CSS.
func height(v, of float64) string {
	if of <= 0 {
		return "0"
	}
	return fmt.Sprintf("%.1f", 100*max(min(v/of, 1), 0))
}

// sizes lists what the packed size of a policy consists of.
type sizes struct {
	Packed, Weights, Rest, Float int64
	ShareWeights, ShareRest      string
	Params                       int64
	Full                         int64 // BitOPs of the layers at 8/8
	BitOPs                       int64
	MACs                         int64
}

// newSizes computes the sizes of a result.
func newSizes(t record.TargetResult) sizes {
	s := sizes{Packed: t.PackedBytes, BitOPs: t.BitOPs}
	var bits int64
	for _, r := range t.Policy {
		bits += int64(r.W) * r.Params
		s.Params += r.Params
		s.MACs += r.MACs
	}
	s.Weights = (bits + 7) / 8
	s.Rest = max(s.Packed-s.Weights, 0)
	s.Float, s.Full = 4*s.Params+s.Rest, 64*s.MACs
	s.ShareWeights, s.ShareRest = height(float64(s.Weights), float64(s.Packed)), height(float64(s.Rest), float64(s.Packed))
	return s
}
