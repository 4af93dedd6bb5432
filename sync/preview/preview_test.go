package preview_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/preview"
)

const boot = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// keyring returns what a sidecar has after it has read the log.
func keyring(tb testing.TB, keys trusttest.Keys) *changelog.Keyring {
	tb.Helper()
	k := keys.Keyring()
	if err := k.Adopt(keys.Note.Text); err != nil {
		tb.Fatal(err)
	}
	return k
}

func question() preview.Question {
	return preview.Question{
		Version: preview.Version, ID: boot, Time: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC), To: []string{boot},
		Base:      changelog.Position{Epoch: "00112233445566778899aabbccddeeff", Revision: 42, Digest: changelog.Sum([]byte("entry"))},
		Documents: []preview.Document{{Kind: document.KindFlag, Key: "checkout", Body: []byte(`{"a":1,"a":2}`)}, {Kind: document.KindSegment, Key: "gold"}},
	}
}

func answer() preview.Answer {
	return preview.Answer{
		Version: preview.Version, ID: boot, Boot: boot, SinceMs: 1000, Applications: []string{"shop"}, Partial: true, MoreFlags: 2,
		Flags: []preview.Flag{{Key: "checkout", Evaluations: 100, Samples: 50, Changes: []preview.Change{{From: "off", To: "on", N: 20}}, ErrorsBefore: 5, ErrorsAfter: 6}},
	}
}

func TestQuestionsComeBack(t *testing.T) {
	t.Parallel()
	keys := trusttest.Default()
	data, signature, err := preview.NewQuestion(keys.Signer(), "prod", question())
	if err != nil {
		t.Fatal(err)
	}
	got, err := preview.ReadQuestion(keyring(t, keys), "prod", data, signature)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(question(), got); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
}

// A question is good for one environment and one installation, and for nothing that is signed in another way.
func TestQuestionsAreSigned(t *testing.T) {
	t.Parallel()
	keys := trusttest.Default()
	data, signature, err := preview.NewQuestion(keys.Signer(), "prod", question())
	if err != nil {
		t.Fatal(err)
	}
	unsigned := func(name string, err error) {
		t.Helper()
		if !errors.Is(err, changelog.ErrUnsigned) {
			t.Errorf("%s: %v", name, err)
		}
	}
	read := func(environment string, data []byte, s changelog.Signature) error {
		_, err := preview.ReadQuestion(keyring(t, keys), environment, data, s)
		return err
	}
	unsigned("another environment", read("staging", data, signature))
	unsigned("other bytes", read("prod", append(slices.Clip(data), ' '), signature))
	unsigned("no signature", read("prod", data, ""))
	_, other, err := preview.NewQuestion(trusttest.New().Signer(), "prod", question())
	if err != nil {
		t.Fatal(err)
	}
	unsigned("another installation", read("prod", data, other))
	_, err = changelog.DecodeHeartbeat(keyring(t, keys), "prod", data, signature)
	unsigned("as a heartbeat", err)
	p := changelog.Position{Epoch: question().Base.Epoch, Revision: 43, Digest: changelog.Sum(data)}
	unsigned("as an entry", keyring(t, keys).VerifyHead("prod", changelog.Head{Position: p, Signature: signature}))
	unsigned("as a record", keyring(t, keys).VerifyRecord("prod", changelog.Anchor{Sequence: 1, Digest: changelog.Sum(data)}, signature))
	head, err := keys.Signer().SignHead("prod", changelog.Head{Position: p})
	if err != nil {
		t.Fatal(err)
	}
	unsigned("an entry as a question", read("prod", data, head.Signature))
}

func TestQuestionsAreRefused(t *testing.T) {
	t.Parallel()
	keys := trusttest.Default()
	f := func(name string, change func(*preview.Question)) {
		t.Helper()
		q := question()
		change(&q)
		if _, _, err := preview.NewQuestion(keys.Signer(), "prod", q); err == nil {
			t.Errorf("%s: it is sent", name)
		}
	}
	f("no documents", func(q *preview.Question) { q.Documents = nil })
	f("many documents", func(q *preview.Question) { q.Documents = make([]preview.Document, changelog.MaxEntries+1) })
	f("for no sidecar", func(q *preview.Question) { q.To = nil })
	f("for many sidecars", func(q *preview.Question) { q.To = make([]string, preview.MaxAsked+1) })
	f("for a subject", func(q *preview.Question) { q.To = []string{"*"} })
	f("with a subject as id", func(q *preview.Question) { q.ID = ">" })
	f("no epoch", func(q *preview.Question) { q.Base.Epoch = "" })
	f("keys", func(q *preview.Question) { q.Documents[0].Kind = document.KindKeys })
	f("an epoch", func(q *preview.Question) { q.Documents[0].Kind = document.KindEpoch })
	f("no key", func(q *preview.Question) { q.Documents[0].Key = "" })
	f("a long key", func(q *preview.Question) { q.Documents[0].Key = strings.Repeat("k", document.MaxKey+1) })
	large := question()
	large.Documents[0].Body = []byte(strings.Repeat("x", preview.MaxQuestion))
	if _, _, err := preview.NewQuestion(keys.Signer(), "prod", large); !errors.Is(err, preview.ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	if _, err := preview.ReadQuestion(keyring(t, keys), "prod", make([]byte, preview.MaxQuestion+1), ""); !errors.Is(err, preview.ErrTooLarge) {
		t.Errorf("too large to read: %v", err)
	}
}

// An answer fits into its limit whatever there is to say, and comes back.
func TestAnswersComeBack(t *testing.T) {
	t.Parallel()
	large := answer()
	for i := range 3 * preview.MaxFlags {
		f := preview.Flag{Key: fmt.Sprint(i, strings.Repeat("k", 900)), Evaluations: 1 << 30, Samples: 100}
		large.Flags = append(large.Flags, f)
	}
	for _, a := range []preview.Answer{answer(), {Version: preview.Version, ID: boot, Boot: boot, Refused: preview.RefusedBusy}, large} {
		data, err := preview.Encode(a)
		if err != nil {
			t.Fatal(err)
		}
		got, err := preview.Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Flags)+got.MoreFlags != len(a.Flags)+a.MoreFlags {
			t.Errorf("%d flags and %d more, want %d and %d", len(got.Flags), got.MoreFlags, len(a.Flags), a.MoreFlags)
		}
		if diff := cmp.Diff(a, got); diff != "" && len(a.Flags) < preview.MaxFlags {
			t.Errorf("decoded (-want +got):\n%s", diff)
		}
	}
}

func TestAnswersAreRefused(t *testing.T) {
	t.Parallel()
	data, err := preview.Encode(answer())
	if err != nil {
		t.Fatal(err)
	}
	f := func(name, old, replacement string) {
		t.Helper()
		altered := strings.Replace(string(data), old, replacement, 1)
		if altered == string(data) {
			t.Fatalf("%s: nothing was changed", name)
		}
		if a, err := preview.Decode([]byte(altered)); err == nil {
			t.Errorf("%s: decoded as %+v", name, a)
		}
	}
	f("no JSON", `{`, `[`)
	f("another format", `"v":1`, `"v":2`)
	f("a boot id that is a subject", `"boot":"`+boot, `"boot":">`)
	f("a negative time", `"sinceMs":1000`, `"sinceMs":-1`)
	f("a negative number", `"n":20`, `"n":-20`)
	f("more than there can be", `"n":20`, `"n":18446744073709551615`)
	f("a sum of more than there can be", `"n":20}`, fmt.Sprintf(`"n":%d},{"from":"a","to":"b","n":%[1]d}`, preview.MaxCount))
	f("a flag without a key", `"checkout"`, `""`)
	f("a long application", `"shop"`, `"`+strings.Repeat("a", 64)+`"`)
	f("too long", `"id"`, `"later":"`+strings.Repeat("x", preview.MaxAnswer)+`","id"`)
	if _, err := preview.Decode([]byte(strings.Replace(string(data), `"id"`, `"later":[1],"id"`, 1))); err != nil {
		t.Errorf("an answer with a member of later is refused: %v", err)
	}
}

func FuzzAnswer(f *testing.F) {
	data, err := preview.Encode(answer())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"v":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := preview.Decode(data)
		if err != nil {
			return
		}
		again, err := preview.Encode(a)
		if err != nil {
			t.Fatalf("decoded, and cannot be encoded: %v", err)
		}
		if _, err := preview.Decode(again); err != nil {
			t.Fatalf("encoded, and cannot be decoded: %v", err)
		}
	})
}

func FuzzQuestion(f *testing.F) {
	keys := trusttest.Default()
	data, _, err := preview.NewQuestion(keys.Signer(), "prod", question())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"v":1,"to":["*"]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		signature, err := changelog.SignPreview(keys.Signer(), "prod", data)
		if err != nil {
			t.Fatal(err)
		}
		q, err := preview.ReadQuestion(keyring(t, keys), "prod", data, signature)
		if err == nil && (len(q.To) == 0 || len(q.Documents) == 0 || q.ID == "") {
			t.Fatalf("read as %+v", q)
		}
	})
}
