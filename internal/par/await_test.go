package par

import (
	"context"
	"errors"
	"testing"
)

func TestAwait(t *testing.T) {
	wrong := errors.New("wrong")
	if v, err := Await(t.Context(), func() (int, error) { return 7, wrong }); v != 7 || !errors.Is(err, wrong) {
		t.Errorf("%d, %v", v, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	hang := make(chan struct{})
	defer close(hang)
	v, err := Await(ctx, func() (int, error) {
		cancel()
		<-hang
		return 7, nil
	})
	if v != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("of a function that hangs: %d, %v", v, err)
	}
	if _, err := Await(ctx, func() (int, error) { t.Error("it was called"); return 0, nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}
