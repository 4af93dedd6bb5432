package resolver

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
)

// digest is the hexadecimal form of the first half of a SHA-256.
type digest [sha256.Size]byte

func digestOf(data []byte) (text digest) {
	sum := sha256.Sum256(data)
	hex.Encode(text[:], sum[:len(text)/2])
	return text
}

// question is what is asked of all selected flags, and how its answer is recognised. The zero value is no question.
type question struct {
	key       []byte // all that the answer depends on, apart from the time and from staleness
	inputs    digest // of the part of key that means the same in every process
	certain   bool   // the answer depends on nothing but inputs and the time
	memorable bool   // and may be remembered
	digest    digest // of the body of the answer
	tag       []byte
}

func (a *question) reset() { *a = question{key: a.key[:0], tag: a.tag[:0]} }

// AskAll says what all selected flags are asked: in which form, which names how a face encodes answers, and for which context. It comes
// after FreshenAll and before everything else that has All in its name. A context that cannot be used is left to SetContext.
func (q *Request) AskAll(form string, context []byte) {
	a := &q.question
	a.reset()
	effective, err := q.effective(context)
	if err != nil {
		return
	}
	a.key = q.appendKey(a.key, form, effective)
	a.inputs = digestOf(a.key[generationSize:])
	a.certain = !q.anyStale()
	a.memorable = a.certain && !isLarge(effective)
}

// generationSize is how many bytes of a key are the generation of the ruleset, which says nothing to other processes.
const generationSize = 8

// appendKey appends everything that a bulk answer depends on: the ruleset, the program, the form, the selection and the context.
func (q *Request) appendKey(key []byte, form string, context []byte) []byte {
	key = binary.LittleEndian.AppendUint64(key, q.rules.Generation())
	key = q.appendRules(key)
	key = binary.AppendUvarint(key, uint64(q.rules.MaxWork()))
	key = appendLong(key, q.resolver.program)
	key = appendLong(key, form)
	if q.selector.active {
		key = appendLong(append(key, 1), q.selector.set)
	} else {
		key = append(key, 0)
	}
	if isLarge(context) {
		sum := sha256.Sum256(context)
		return append(append(key, 1), sum[:]...)
	}
	return append(append(key, 0), context...)
}

// isLarge reports whether a context is not worth copying.
func isLarge(context []byte) bool { return len(context) > maxRememberedContext }

// appendRules appends what identifies the ruleset in every process: the documents that it is made of. While a document does not compile,
// the rules in its place depend on what the process knew before, and only the process itself can recognise them.
func (q *Request) appendRules(key []byte) []byte {
	if !q.resolver.overviewOf(q.rules).whole {
		key = append(append(key, 0), q.resolver.nonce[:]...)
		return binary.LittleEndian.AppendUint64(key, q.rules.Generation())
	}
	position, state := q.view.Position(), q.view.StateDigest()
	key = append(append(key, 1), position.Epoch[:]...)
	key = binary.LittleEndian.AppendUint64(key, position.Revision)
	key = append(append(key, position.Digest[:]...), state[:]...)
	return appendLong(key, q.rules.Compatibility())
}

// appendLong appends text after its length, so that what follows cannot be mistaken for a part of it.
func appendLong[Text ~[]byte | ~string](key []byte, text Text) []byte {
	return append(binary.AppendUvarint(key, uint64(len(text))), text...)
}

// The validator of a bulk answer is one of
//
//	BODY                     it may be another at any moment, or is stale
//	BODY-INPUTS              it stays the same as long as its inputs do
//	BODY-INPUTS-FROM-UNTIL   and from a second of Unix time until another, 0 being never
//
// with BODY and INPUTS as digests. Whoever has the same inputs within the period would give the same body, so nothing has to be evaluated to
// see that it is the same. Of everything else the bodies are compared.
const tagSeparator = "-"

// answered notes the answer and its validator.
func (a *question) answered(body digest, p period) {
	a.digest = body
	a.tag = append(a.tag[:0], body[:]...)
	if !a.certain {
		return
	}
	a.tag = append(append(a.tag, tagSeparator...), a.inputs[:]...)
	if p != (period{}) {
		a.tag = strconv.AppendInt(append(a.tag, tagSeparator...), p.from, 10)
		a.tag = strconv.AppendInt(append(a.tag, tagSeparator...), p.until, 10)
	}
}

// Tag returns the validator of the answer: after KeepAll or a successful RecallAll that of the body, after a successful Unchanged that which
// it was given. It is valid until End.
func (q *Request) Tag() []byte { return q.question.tag }

// Unchanged reports whether the answer that was given with a validator is that of the moment. It evaluates nothing, so it does not
// recognise every such answer. It comes after AskAll.
func (q *Request) Unchanged(tag []byte) bool {
	body, rest, found := bytes.Cut(tag, []byte(tagSeparator))
	inputs, times, timed := bytes.Cut(rest, []byte(tagSeparator))
	a := &q.question
	if !found || !a.certain || len(body) != len(digest{}) || !bytes.Equal(inputs, a.inputs[:]) {
		return false
	}
	if timed {
		if p, ok := parsePeriod(times); !ok || !p.holds(q.now) {
			return false
		}
	}
	a.tag = append(a.tag[:0], tag...)
	q.resolver.counts.unchanged.Inc()
	q.recordUnchanged()
	return true
}

// Repeated reports whether the answer of the moment has the body of the one that was given with a validator. It comes after KeepAll or a
// successful RecallAll.
func (q *Request) Repeated(tag []byte) bool {
	body, _, _ := bytes.Cut(tag, []byte(tagSeparator))
	return bytes.Equal(body, q.question.digest[:])
}

func parsePeriod(text []byte) (p period, ok bool) {
	from, until, _ := bytes.Cut(text, []byte(tagSeparator))
	var failed, failedToo error
	p.from, failed = strconv.ParseInt(string(from), 10, 64)
	p.until, failedToo = strconv.ParseInt(string(until), 10, 64)
	return p, failed == nil && failedToo == nil
}
