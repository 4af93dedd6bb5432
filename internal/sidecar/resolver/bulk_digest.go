package resolver

import (
	"crypto/sha256"
	"encoding/binary"
)

// mark tells an item of a bulk answer from every other: the first half of its SHA-256. The digest of a body is made of the marks of its items,
// because those of items that are encoded in advance are known.
type mark [sha256.Size / 2]byte

func markOf(item []byte) mark {
	sum := sha256.Sum256(item)
	return mark(sum[:len(mark{})])
}

// appendEnds appends what stands before and after the items to their marks, and where it begins, so that nothing else reads the same.
func appendEnds(marks, head, tail []byte) []byte {
	n := len(marks)
	return binary.LittleEndian.AppendUint64(append(append(marks, head...), tail...), uint64(n))
}
