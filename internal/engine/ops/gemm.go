package ops

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/internal/tensor"
)

// Gemm is y = Alpha*op(a)*op(b) + Beta*c, op transposing where asked: op(a) [N C], op(b) [C K], c broadcast to [N K].
//
//	da = Alpha*dy*op(b)^T, db = Alpha*op(a)^T*dy (transposed like a and b), dc = Beta*dy summed over broadcast dimensions
type Gemm struct {
	Alpha, Beta    float32
	TransA, TransB bool
}

// Type is "Gemm".
func (*Gemm) Type() string { return "Gemm" }

// sizes gives rows, columns and the common dimension.
func (o *Gemm) sizes(a, b tensor.Shape) (m, n, k int, err error) {
	if len(a) != 2 || len(b) != 2 {
		return 0, 0, 0, fmt.Errorf("operands %s and %s are not matrices", a, b)
	}
	m, k = a[0], a[1]
	if o.TransA {
		m, k = k, m
	}
	kb, n := b[0], b[1]
	if o.TransB {
		kb, n = n, kb
	}
	if k != kb {
		return 0, 0, 0, fmt.Errorf("matrices %s and %s do not multiply", a, b)
	}
	return m, n, k, nil
}

// Infer gives [N K].
func (o *Gemm) Infer(_ *engine.Node, in []tensor.Shape) ([]tensor.Shape, error) {
	if err := arity(in, 2, 3); err != nil {
		return nil, err
	}
	m, n, _, err := o.sizes(in[0], in[1])
	if err != nil {
		return nil, err
	}
	out := tensor.Shape{m, n}
	if len(in) == 3 && in[2] != nil {
		if s, err := tensor.Broadcast(in[2], out); err != nil || !s.Equal(out) {
			return nil, fmt.Errorf("addend %s does not broadcast to %s", in[2], out)
		}
	}
	return []tensor.Shape{out}, nil
}

// Forward computes y.
func (o *Gemm) Forward(t *engine.Task) {
	a, b, y := t.In[0], t.In[1], t.Out[0]
	m, n, k, _ := o.sizes(a.Shape, b.Shape)
	beta := float32(0)
	if len(t.In) > 2 && t.In[2].Data != nil && o.Beta != 0 {
		c := t.In[2].Data
		rows, cols := addendStrides(t.In[2].Shape)
		for i := range m {
			row := y.Data[i*n : (i+1)*n]
			for j := range row {
				row[j] = o.Beta * c[i*rows+j*cols]
			}
		}
		beta = 1
	}
	kernel.Gemm(t.Pool, o.TransA, o.TransB, m, n, k, o.Alpha, a.Data, a.Shape[1], b.Data, b.Shape[1], beta, y.Data, n)
}

// AddTo adds Beta*c to an output that holds the product.
func (o *Gemm) AddTo(t *engine.Task) {
	if len(t.In) < 3 || t.In[2].Data == nil {
		return
	}
	c, y := t.In[2].Data, t.Out[0]
	rows, cols := addendStrides(t.In[2].Shape)
	for i := range y.Shape[0] {
		row := y.Data[i*y.Shape[1] : (i+1)*y.Shape[1]]
		for j := range row {
			row[j] += float32(o.Beta * c[i*rows+j*cols])
		}
	}
}

// Retain keeps both matrices.
func (*Gemm) Retain() engine.Retain { return engine.Retain{In: []int{0, 1}} }

// Backward computes da, db and dc as far as they are wanted.
func (o *Gemm) Backward(t *engine.Task) {
	a, b, dy := t.In[0], t.In[1], t.GradOut[0].Data
	m, n, k, _ := o.sizes(a.Shape, b.Shape)
	lda, ldb := a.Shape[1], b.Shape[1]
	if da := t.GradIn[0].Data; da != nil {
		if o.TransA {
			kernel.Gemm(t.Pool, o.TransB, true, k, m, n, o.Alpha, b.Data, ldb, dy, n, 0, da, lda)
		} else {
			kernel.Gemm(t.Pool, false, !o.TransB, m, k, n, o.Alpha, dy, n, b.Data, ldb, 0, da, lda)
		}
	}
	if db := t.GradIn[1].Data; db != nil {
		if o.TransB {
			kernel.Gemm(t.Pool, true, o.TransA, n, k, m, o.Alpha, dy, n, a.Data, lda, 0, db, ldb)
		} else {
			kernel.Gemm(t.Pool, !o.TransA, false, k, n, m, o.Alpha, a.Data, lda, dy, n, 0, db, ldb)
		}
	}
	if len(t.GradIn) > 2 && t.GradIn[2].Data != nil {
		dc := t.GradIn[2].Data
		rows, cols := addendStrides(t.GradIn[2].Shape)
		clear(dc)
		for i := range m {
			for j, g := range dy[i*n : (i+1)*n] {
				dc[i*rows+j*cols] += o.Beta * g
			}
		}
	}
}

// addendStrides says how far the addend's rows and columns are apart, 0 where it is broadcast.
func addendStrides(s tensor.Shape) (rows, cols int) {
	if k := len(s); k > 0 && s[k-1] != 1 {
		cols = 1
	}
	if len(s) == 2 && s[0] != 1 {
		rows = s[1]
	}
	return rows, cols
}

func buildGemm(a Attributes) (engine.Op, error) {
	return &Gemm{Alpha: a.Float("alpha", 1), Beta: a.Float("beta", 1), TransA: a.Int("transA", 0) != 0, TransB: a.Int("transB", 0) != 0}, nil
}
