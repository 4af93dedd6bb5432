package access

import "io"

// readAtMost reads r to its end, but at most one byte more than limit, so that the caller sees that there is too much.
func readAtMost(r io.Reader, limit int64) ([]byte, error) {
	return io.ReadAll(io.LimitReader(r, limit+1))
}
