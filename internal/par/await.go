package par

import "context"

// Await runs a function that knows no context, such as the compilation of a plan or a call into a C library, and gives up
// waiting once ctx ends. The function then goes on by itself and its result is dropped, so it must change nothing that
// others look at.
func Await[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	done := make(chan result, 1)
	go func() {
		v, err := f()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}
