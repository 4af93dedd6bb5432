package resolver

import (
	"bytes"
	"strconv"
)

// The validator of a bulk answer is one of
//
//	BODY                     it may be another at any moment, or is stale
//	BODY-INPUTS              it stays the same as long as its inputs do
//	BODY-INPUTS-FROM-UNTIL   and from a second of Unix time until another, 0 being never
//
// with BODY and INPUTS as digests. A process that has the same inputs within the period would give the same body, so nothing has to be
// evaluated to see that it is the same. Of everything else the bodies are compared.
const tagSeparator = "-"

// bulkTag is the validator of a bulk answer. The zero value is that of no answer.
type bulkTag struct {
	text []byte
	body digest // of the body of the answer
}

func (t *bulkTag) reset() { *t = bulkTag{text: t.text[:0]} }

// set makes t the validator of an answer with the key, a body and a period.
func (t *bulkTag) set(k *bulkKey, body digest, p period) {
	t.body = body
	t.text = append(t.text[:0], body[:]...)
	if !k.deterministic {
		return
	}
	t.text = append(append(t.text, tagSeparator...), k.inputs[:]...)
	if p != (period{}) {
		t.text = strconv.AppendInt(append(t.text, tagSeparator...), p.from, 10)
		t.text = strconv.AppendInt(append(t.text, tagSeparator...), p.until, 10)
	}
}

// hasBody reports whether the answer has the body of the one that was given with another validator.
func (t *bulkTag) hasBody(other []byte) bool {
	body, _, _ := bytes.Cut(other, []byte(tagSeparator))
	return bytes.Equal(body, t.body[:])
}

// unchanged reports whether the answer that was given with a validator is that of the moment, and makes it that of the answer then. It
// evaluates nothing, so it does not recognise every such answer.
func (q *BulkRequest) unchanged(other []byte) bool {
	body, rest, found := bytes.Cut(other, []byte(tagSeparator))
	inputs, times, timed := bytes.Cut(rest, []byte(tagSeparator))
	if !found || !q.key.deterministic || len(body) != len(digest{}) || !bytes.Equal(inputs, q.key.inputs[:]) {
		return false
	}
	if timed {
		if p, ok := parsePeriod(times); !ok || !p.holds(q.now) {
			return false
		}
	}
	q.tag.text = append(q.tag.text[:0], other...)
	q.resolver.counts.unchanged.Inc()
	q.useUnchanged()
	q.recordUnchanged()
	return true
}

// useUnchanged counts the use of the flags in an answer that the client has: by flag if the answer is in memory, or was when the same was asked last.
func (q *BulkRequest) useUnchanged() {
	l := &q.last
	if l.usage == nil || !l.period.holds(q.now) {
		l.usage = nil
		if q.memorable() {
			if found, ok := q.inMemory(); ok {
				l.usage, l.period = found.usage, found.period
			}
		}
	}
	if l.usage == nil {
		q.resolver.usage.Unchanged()
		return
	}
	q.resolver.usage.Again(l.usage)
}

func parsePeriod(text []byte) (p period, ok bool) {
	from, until, _ := bytes.Cut(text, []byte(tagSeparator))
	var failed, failedToo error
	p.from, failed = strconv.ParseInt(string(from), 10, 64)
	p.until, failedToo = strconv.ParseInt(string(until), 10, 64)
	return p, failed == nil && failedToo == nil
}

// anyTag reports whether fits holds for any of a list of validators (If-None-Match, RFC 9110 section 13.1.2). Weak ones count and so do those
// that lost their quotes on the way, as some clients send them. An asterisk is no validator here: every answer exists, so it would say
// nothing.
func anyTag(list []byte, fits func(tag []byte) bool) bool {
	for len(list) > 0 {
		var item []byte
		item, list, _ = bytes.Cut(list, []byte(","))
		item = bytes.TrimPrefix(bytes.Trim(item, " \t"), []byte("W/"))
		if fits(bytes.Trim(item, `"`)) {
			return true
		}
	}
	return false
}
