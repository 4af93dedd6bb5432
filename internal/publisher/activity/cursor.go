package activity

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Cursor is a place among all that happened: a revision of the log and a sequence of the ledger. The zero value is before everything, or
// behind everything, as its use says.
type Cursor struct{ Revision, Sequence uint64 }

// ErrCursor is returned for text that is no cursor.
var ErrCursor = errors.New("not a cursor of the activity: use next or newest of an earlier answer")

// ParseCursor decodes the result of [Cursor.String]. Empty text is the zero value.
func ParseCursor(text string) (Cursor, error) {
	if text == "" {
		return Cursor{}, nil
	}
	revision, sequence, _ := strings.Cut(text, "-")
	var c Cursor
	var err, err2 error
	c.Revision, err = strconv.ParseUint(revision, 10, 64)
	c.Sequence, err2 = strconv.ParseUint(sequence, 10, 64)
	if err != nil || err2 != nil || c.String() != text {
		return Cursor{}, fmt.Errorf("%w: %q", ErrCursor, text)
	}
	return c, nil
}

// String returns "<revision>-<sequence>".
func (c Cursor) String() string {
	return strconv.FormatUint(c.Revision, 10) + "-" + strconv.FormatUint(c.Sequence, 10)
}

// IsZero reports whether c names no place.
func (c Cursor) IsZero() bool { return c == Cursor{} }

// Max returns the later of two places, for the log and the ledger each.
func (c Cursor) Max(d Cursor) Cursor {
	return Cursor{Revision: max(c.Revision, d.Revision), Sequence: max(c.Sequence, d.Sequence)}
}
