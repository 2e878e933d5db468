package kernel

import "testing"

// FuzzConv draws small shapes and compares all three passes on every instruction set with the definition.
func FuzzConv(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Add(uint64(0x123456789abcdef), uint64(7))
	f.Fuzz(func(t *testing.T, bits, more uint64) {
		s, ok := drawConv(bits, more)
		if !ok {
			t.Skip("the filter does not fit")
		}
		d := newConvData(s)
		for _, isa := range Available() {
			restore, err := Override(isa)
			if err != nil {
				t.Fatal(err)
			}
			y, dx, dw := newGuarded(len(d.dy), 1), newGuarded(len(d.x), 2), newGuarded(len(d.w), 3)
			scratch := newGuarded(ConvScratch(s, 1), 5)
			ConvForward(nil, s, d.x, d.w, y.data(), scratch.data())
			compare(t, "y", y, d.y, d.yScale)
			ConvBackwardData(nil, s, d.w, d.dy, dx.data(), scratch.data())
			compare(t, "dx", dx, d.dx, d.dxScale)
			ConvBackwardWeight(nil, s, d.x, d.dy, dw.data(), scratch.data())
			compare(t, "dw", dw, d.dw, d.dwS)
			scratch.check(t)
			restore()
		}
	})
}

// drawConv makes a small shape of some bits, and says whether the filter fits the padded plane.
func drawConv(bits, more uint64) (s ConvShape, ok bool) {
	draw := func(n uint64) int {
		v := bits % n
		bits = bits/n ^ more<<7
		more = more*6364136223846793005 + 1442695040888963407
		return int(v)
	}
	s = ConvShape{
		N: 1 + draw(3)*draw(9), H: 1 + draw(20), W: 1 + draw(36), R: 1 + draw(4), S: 1 + draw(4), StrideH: 1 + draw(3), StrideW: 1 + draw(3),
		PadT: draw(4), PadL: draw(4), PadB: draw(4), PadR: draw(4), DilH: 1 + draw(2), DilW: 1 + draw(2), Groups: 1 + draw(3),
	}
	s.C, s.K = s.Groups*(1+draw(10)), s.Groups*(1+draw(16))
	if draw(4) == 0 {
		s.C, s.K = s.Groups, s.Groups
	}
	if s.H+s.PadT+s.PadB < (s.R-1)*s.DilH+1 || s.W+s.PadL+s.PadR < (s.S-1)*s.DilW+1 {
		return s, false
	}
	s.OH, s.OW = s.OutputSize()
	const most = 20e6 // multiplications, so that the definition never takes as long as fuzzing lets a case take
	if macs := s.OH * s.OW * s.K * s.C / s.Groups * s.R * s.S; s.N*macs > most {
		s.N = max(most/macs, 1)
	}
	return s, true
}
