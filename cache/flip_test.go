package cache

import (
	"bytes"
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/sync/changelog"
)

// Whatever bytes of whatever files change, what is restored is a state that was signed, or nothing, and so
// it is at the next start.
func TestWhateverBytesAreFlipped(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: one thing after the other, which go test without it does")
	}
	dir, _, w := diskOf(t)
	restoreDamaged(t, dir, w, func(random *rand.Rand, contents map[string][]byte) {
		for range 1 + random.IntN(3) {
			name := files[random.IntN(len(files))]
			contents[name] = damage(random, contents[name])
		}
	})
}

// damage changes something in bytes.
func damage(random *rand.Rand, data []byte) []byte {
	if len(data) == 0 {
		return []byte{byte(random.Uint32())}
	}
	data = bytes.Clone(data)
	at := random.IntN(len(data))
	switch random.IntN(6) {
	case 0:
		return data[:at]
	case 1:
		return slices.Insert(data, at, byte(random.Uint32()))
	case 2:
		return slices.Delete(data, at, at+1)
	case 3:
		to := random.IntN(len(data))
		copy(data[to:], bytes.Clone(data[at:min(at+32, len(data))]))
	default:
		for range 1 + random.IntN(4) {
			data[random.IntN(len(data))] ^= byte(1 << random.IntN(8))
		}
	}
	return data
}

// The same where all checksums are made right afterwards: only the proof is left to tell what is true.
func TestWhateverIsWrittenWithRightChecksums(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: one thing after the other, which go test without it does")
	}
	dir, h, w := diskOf(t)
	forged := h.forge(flag("a", 666), flag("b", 666), flag("evil", 666))
	restoreDamaged(t, dir, w, func(random *rand.Rand, contents map[string][]byte) {
		parsed := parseFiles(t, contents)
		for range 1 + random.IntN(3) {
			parsed.rewrite(random, forged)
		}
		parsed.encode(t, contents)
	})
}

// restoreDamaged restores copies of a directory after the contents of its files were changed.
func restoreDamaged(t *testing.T, dir string, w *witness, change func(random *rand.Rand, contents map[string][]byte)) {
	t.Helper()
	rounds := uint64(150)
	if os.Getenv("FLAGSIDE_SOAK") != "" {
		rounds = 20_000
	}
	contents := make(map[string][]byte)
	for _, name := range files {
		contents[name] = readFile(t, dir, name)
	}
	shown := 0
	for seed := range rounds {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			damaged := make(map[string][]byte)
			maps.Copy(damaged, contents)
			change(rand.New(rand.NewPCG(seed, 1)), damaged)
			target := t.TempDir()
			for name, data := range damaged {
				writeFile(t, target, name, data)
			}
			s := restoreStore(t, target)
			w.check(t, s.View())
			before := s.Position()
			s = restart(t, s)
			w.check(t, s.View())
			if s.Position() != before {
				t.Errorf("%v was restored, and %v at the next start", before, s.Position())
			}
			if s.View() != nil {
				shown++
			}
			_ = s.Close()
		})
	}
	if shown == 0 {
		t.Error("nothing was shown ever")
	}
}

// parsedFiles are files without their checksums: of a snapshot its header and the lines of its documents,
// of the others the payloads of their frames.
type parsedFiles struct {
	magic  map[string]string
	frames map[string][][]byte
}

func parseFiles(tb testing.TB, contents map[string][]byte) parsedFiles {
	tb.Helper()
	p := parsedFiles{magic: make(map[string]string), frames: make(map[string][][]byte)}
	for name, data := range contents {
		switch name {
		case "prod.snapshot", "prod.snapshot.previous":
			header, lines := snapshotLines(tb, data)
			p.frames[name] = append([][]byte{header}, bytes.SplitAfter(lines, []byte("\n"))...)
		default:
			end := bytes.IndexByte(data, '\n') + 1
			p.magic[name], p.frames[name] = string(data[:end]), payloads(tb, data, end)
		}
	}
	return p
}

// payloads returns the payloads of the frames behind an offset.
func payloads(tb testing.TB, data []byte, offset int) [][]byte {
	tb.Helper()
	var all [][]byte
	for r := (tailReader{data: data, offset: offset}); r.more(); {
		var payload jsontext.Value
		if err := r.decode(&payload); err != nil {
			tb.Fatal(err)
		}
		all = append(all, bytes.Clone(payload))
	}
	return all
}

// appendPayload appends a frame with whatever payload.
func appendPayload(data, payload []byte) []byte {
	length := binary.BigEndian.AppendUint32(nil, uint32(len(payload)))
	data = append(data, length...)
	data = binary.BigEndian.AppendUint32(data, checksum(length))
	data = append(data, payload...)
	return binary.BigEndian.AppendUint32(data, checksum(payload))
}

func (p parsedFiles) encode(tb testing.TB, contents map[string][]byte) {
	tb.Helper()
	for name, frames := range p.frames {
		magic, framed := p.magic[name]
		if !framed {
			contents[name] = nil
			if len(frames) > 0 {
				contents[name] = assembleSnapshot(tb, frames[0], bytes.Join(frames[1:], nil))
			}
			continue
		}
		data := []byte(magic)
		for _, payload := range frames {
			data = appendPayload(data, payload)
		}
		contents[name] = data
	}
}

// rewrite changes something in one of the files.
func (p parsedFiles) rewrite(random *rand.Rand, forged *history) {
	name := files[random.IntN(len(files))]
	frames := slices.Clone(p.frames[name])
	if len(frames) == 0 {
		return
	}
	i, j := random.IntN(len(frames)), random.IntN(len(frames))
	switch random.IntN(8) {
	case 0:
		frames[i], frames[j] = frames[j], frames[i]
	case 1:
		frames = slices.Insert(frames, i, frames[j])
	case 2:
		frames = slices.Delete(frames, i, i+1)
	case 3: // of another file
		other := p.frames[files[random.IntN(len(files))]]
		if len(other) > 0 {
			frames = slices.Insert(frames, i, other[random.IntN(len(other))])
		}
	case 4: // another value
		frames[i] = bytes.ReplaceAll(frames[i], []byte(`{"v":`), []byte(`{"v":666`))
	case 5: // a digest in the place of another one
		frames[i] = replaceDigest(random, frames[i], frames[j])
	case 6: // the state of what a forger has made up
		frames[i] = bytes.ReplaceAll(frames[i], []byte(`"state":"`+digestIn(frames[i])), []byte(`"state":"`+forged.head.State.String()))
	default:
		frames[i] = damage(random, frames[i])
	}
	p.frames[name] = frames
}

// digestIn returns the state digest that a payload names.
func digestIn(payload []byte) string {
	const member = `"state":"`
	at := bytes.Index(payload, []byte(member)) + len(member)
	digits := 2 * len(changelog.Digest{})
	if at < len(member) || at+digits > len(payload) {
		return "?"
	}
	return string(payload[at : at+digits])
}

// replaceDigest puts a digest of source in the place of one of payload.
func replaceDigest(random *rand.Rand, payload, source []byte) []byte {
	to, from := digests(payload), digests(source)
	if len(to) == 0 || len(from) == 0 {
		return payload
	}
	at, by := to[random.IntN(len(to))], from[random.IntN(len(from))]
	result := bytes.Clone(payload)
	copy(result[at:at+64], source[by:by+64])
	return result
}

// digests returns where digests stand in a payload.
func digests(payload []byte) []int {
	var found []int
	run := 0
	for i, c := range payload {
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'f' {
			if run++; run == 64 {
				found = append(found, i-63)
			}
			continue
		}
		run = 0
	}
	return found
}
