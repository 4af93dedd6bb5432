package resolver

import (
	"bytes"

	"github.com/flagside/flagside/internal/sidecar/usage"
)

// lastQuestion is what a BulkRequest was asked last. Clients ask the same again and again, and what was worked out for the same bytes is compared
// sooner than worked out. Everything is a copy, and compared whole. The zero value is no question.
type lastQuestion struct {
	body     []byte // in which a strict decoder found the context
	member   string // that was looked for
	from, to int    // where the context stands in body

	key    []byte // of the answer
	inputs digest // of key

	usage  *usage.Group // of the answer with the key, within period; nil if that is not known
	period period
}

// find returns the context in data, if it is known where that stands.
func (l *lastQuestion) find(data []byte, member string) (context []byte, ok bool) {
	if len(l.body) == 0 || l.member != member || !bytes.Equal(l.body, data) {
		return nil, false
	}
	return data[l.from:l.to], true
}

// found notes where the context stands in data, of which it is a part.
func (l *lastQuestion) found(data []byte, member string, context []byte) {
	if len(data) > maxCachedContext {
		return
	}
	l.body, l.member = append(l.body[:0], data...), member
	l.from = cap(data) - cap(context)
	l.to = l.from + len(context)
}

// inputsOf returns the digest of what a key says to every process.
func (l *lastQuestion) inputsOf(key []byte) digest {
	if len(l.key) == 0 || !bytes.Equal(l.key, key) {
		l.key, l.inputs, l.usage = append(l.key[:0], key...), digestOf(key[ownSize:]), nil
	}
	return l.inputs
}
