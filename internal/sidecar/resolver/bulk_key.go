package resolver

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// digest is the hexadecimal form of the first half of a SHA-256.
type digest [sha256.Size]byte

func digestOf(data []byte) (text digest) {
	sum := sha256.Sum256(data)
	hex.Encode(text[:], sum[:len(text)/2])
	return text
}

// bulkKey is what a bulk answer depends on. The zero value is that of no answer.
type bulkKey struct {
	bytes         []byte // all that the answer depends on, apart from the time and from staleness
	inputs        digest // of the part of bytes that means the same in every process
	deterministic bool   // the answer depends on nothing but inputs and the time
	cacheable     bool   // and may be remembered
}

func (k *bulkKey) reset() { *k = bulkKey{bytes: k.bytes[:0]} }

// ask notes what all selected flags are asked: in which form and for which context. A context that cannot be used is left to setContext, and what is
// pinned to a revision is not remembered.
func (q *BulkRequest) ask(form string, data []byte) {
	k := &q.key
	k.reset()
	if q.pin.wanted() {
		return
	}
	enriched, err := q.enrich(data)
	if err != nil {
		return
	}
	k.bytes = q.appendKey(k.bytes, form, enriched)
	k.inputs = q.last.inputsOf(k.bytes)
	k.deterministic = !q.anyStale()
	k.cacheable = k.deterministic && !isLarge(enriched)
}

// anyStale reports whether any of the selected flags may demand more than q knows.
func (q *BulkRequest) anyStale() bool {
	f, d := &q.freshness, q.demanded
	return !f.confirmed && (f.failed || d.maxStaleness > 0 && f.olderThan(d.maxStaleness))
}

// ownSize is how many bytes of a key say nothing to other processes: the generation of the ruleset, and the application, under whose name the
// evaluations of a remembered answer are counted.
const ownSize = 8 + 2

// appendKey appends everything that a bulk answer depends on: the ruleset, the program, the form, the selection and the context.
func (q *BulkRequest) appendKey(key []byte, form string, enriched []byte) []byte {
	key = binary.LittleEndian.AppendUint64(key, q.rules.Generation())
	key = binary.LittleEndian.AppendUint16(key, uint16(q.application))
	key = q.appendRules(key)
	key = binary.AppendUvarint(key, uint64(q.rules.MaxWork()))
	key = appendLong(key, q.resolver.buildID)
	key = appendLong(key, form)
	if q.selector.active {
		key = appendLong(append(key, 1), q.selector.set)
	} else {
		key = append(key, 0)
	}
	if isLarge(enriched) {
		sum := sha256.Sum256(enriched)
		return append(append(key, 1), sum[:]...)
	}
	return append(append(key, 0), enriched...)
}

// maxCachedContext is how many bytes a context may have whose answer is remembered. Larger ones are rare and seldom come again.
const maxCachedContext = 8 << 10

// isLarge reports whether a context is not worth copying.
func isLarge(enriched []byte) bool { return len(enriched) > maxCachedContext }

// appendRules appends what identifies the ruleset in every process: the documents that it is made of. While a document does not compile,
// the rules in its place depend on what the process knew before, and only the process itself can recognise them.
func (q *BulkRequest) appendRules(key []byte) []byte {
	if !q.resolver.summaryOf(q.rules).whole {
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
