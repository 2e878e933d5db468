package kernel

import "testing"

// TestRows covers the data movers: every size around the register widths, canaries around every buffer.
func TestRows(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for rows := range 12 {
			for cols := range 40 {
				src := normals(newRand(uint64(rows*40+cols)), rows*(2*cols+3)+2*cols)
				testCopyRows(t, rows, cols)
				testSplitJoin(t, src, rows, cols)
				testTranspose(t, src, rows, cols)
			}
		}
	})
}

func testCopyRows(t *testing.T, rows, cols int) {
	t.Helper()
	const ldd, lds = 43, 41
	src := normals(newRand(3), rows*lds+cols)
	dst := newGuarded(rows*ldd, 1)
	copyRows(dst.data(), ldd, src, lds, rows, cols)
	dst.check(t)
	for i, v := range dst.data() {
		want := canary
		if i%ldd < cols {
			want = src[i/ldd*lds+i%ldd]
		}
		if v != want {
			t.Fatalf("copyRows %dx%d: element %d = %v, want %v", rows, cols, i, v, want)
		}
	}
}

func testSplitJoin(t *testing.T, src []float32, rows, cols int) {
	t.Helper()
	lds, ldd := 2*cols+3, cols+1
	even, odd, back, only := newGuarded(rows*ldd, 1), newGuarded(rows*ldd, 2), newGuarded(rows*lds, 3), newGuarded(rows*ldd, 4)
	splitRows(even.data(), odd.data(), ldd, src, lds, rows, cols)
	splitRows(only.data(), only.data(), ldd, src, lds, rows, cols)
	joinRows(back.data(), lds, even.data(), odd.data(), ldd, rows, cols)
	for _, g := range []guarded{even, odd, back, only} {
		g.check(t)
	}
	if err := sameBits(only.data(), even.data()); err != nil {
		t.Fatalf("splitRows into one %dx%d: %v", rows, cols, err)
	}
	for i := range rows {
		for j := range 2 * cols {
			want := src[i*lds+j]
			half := even.data()
			if j%2 == 1 {
				half = odd.data()
			}
			if half[i*ldd+j/2] != want || back.data()[i*lds+j] != want {
				t.Fatalf("split, join %dx%d: (%d,%d) = %v, %v, want %v", rows, cols, i, j, half[i*ldd+j/2], back.data()[i*lds+j], want)
			}
		}
	}
}

func testTranspose(t *testing.T, src []float32, rows, cols int) {
	t.Helper()
	lds, ldd := cols+2, rows+1
	dst := newGuarded(cols*ldd, 1)
	transpose(dst.data(), ldd, src, lds, rows, cols)
	dst.check(t)
	for i, v := range dst.data() {
		want := canary
		if i%ldd < rows {
			want = src[i%ldd*lds+i/ldd]
		}
		if v != want {
			t.Fatalf("transpose %dx%d: element %d = %v, want %v", rows, cols, i, v, want)
		}
	}
}
