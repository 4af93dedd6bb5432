package usage_test

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/internal/publisher/usage"
	report "github.com/flagside/flagside/sync/usage"
)

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func boot(n int) string {
	return fmt.Sprintf("BOOT%022s", strings.Map(letter, fmt.Sprintf("%022d", n)))
}

func letter(r rune) rune { return r - '0' + 'A' }

// books keep what was written, as a stream does, and fold into it.
type books struct {
	t        *testing.T
	codec    *usage.Codec
	segments map[usage.ID][][]byte
	last     [][]byte
	place    [][]byte
}

func newBooks(t *testing.T) *books {
	t.Helper()
	codec, err := usage.NewCodec()
	if err != nil {
		t.Fatal(err)
	}
	return &books{t: t, codec: codec, segments: make(map[usage.ID][][]byte)}
}

func must[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// open returns a fold that knows what was written and nothing else.
func (b *books) open() *usage.Fold {
	if b.place == nil {
		return usage.NewFold(usage.Place{}, usage.NewLast())
	}
	l := usage.NewLast()
	if b.last != nil {
		l = must[*usage.Last](b.t)(b.codec.ReadLast(b.last))
	}
	return usage.NewFold(must[usage.Place](b.t)(b.codec.ReadPlace(b.place)), l)
}

func (b *books) segment(id usage.ID) *usage.Segment {
	if b.segments[id] == nil {
		return nil
	}
	return must[*usage.Segment](b.t)(b.codec.ReadSegment(b.segments[id]))
}

func (b *books) add(f *usage.Fold, now time.Time, messages ...usage.Message) {
	f.Begin(now)
	for _, m := range messages {
		for _, id := range f.Missing(m) {
			f.Load(id, b.segment(id))
		}
		f.Add(m)
	}
}

func (b *books) write(f *usage.Fold) {
	segments, last := f.Changed()
	for id, s := range segments {
		b.segments[id] = must[[][]byte](b.t)(b.codec.Segment(s, f.Place.Covered))
	}
	if last {
		b.last = must[[][]byte](b.t)(b.codec.Last(f.Last, f.Place.Covered))
	}
	b.place = must[[][]byte](b.t)(b.codec.Place(f.Place))
	f.Written()
}

// model is the same, as simply as it can be said.
type model struct {
	seen     map[string]uint64
	segments map[usage.ID]map[usage.Series]uint64
	used     map[usage.Use]usage.Times
	reports  uint64
	again    uint64
}

func (m *model) add(received time.Time, r report.Report) {
	if r.N <= m.seen[r.Boot] {
		m.again++
		return
	}
	m.seen[r.Boot] = r.N
	m.reports++
	at := r.To
	if at.After(received) {
		at = received
	}
	if at.Before(received.Add(-72 * time.Hour)) {
		at = received.Add(-72 * time.Hour)
	}
	for _, f := range r.Flags {
		for _, c := range f.Counts {
			s := usage.Series{
				Flag: f.Key, Revision: fmt.Sprint(r.Epoch[:8], "-", f.Revision), Variant: c.Variant, Reason: c.Reason, Rule: c.Rule,
				Application: c.Application, Bulk: c.Bulk,
			}
			if s.Application == "" {
				s.Application, s.Release = r.Application, r.Release
			}
			for _, resolution := range usage.Resolutions() {
				id := resolution.At(at)
				if resolution == usage.Minute && received.Sub(id.Time()) > 48*time.Hour+time.Minute {
					continue
				}
				if m.segments[id] == nil {
					m.segments[id] = make(map[usage.Series]uint64)
				}
				m.segments[id][s] += c.N
			}
			u := usage.Use{Flag: f.Key, Variant: c.Variant, Application: s.Application}
			t := m.used[u]
			if c.Bulk {
				t.Bulk = max(t.Bulk, at.Unix())
			} else {
				t.Asked = max(t.Asked, at.Unix())
			}
			m.used[u] = t
		}
	}
}

// Whatever comes twice or late, and wherever a publisher ends before it has written, the series are the sum of the reports.
func TestFoldsAreSumsOfReports(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		random := rand.New(rand.NewPCG(seed, 1))
		b, m := newBooks(t), &model{seen: make(map[string]uint64), segments: make(map[usage.ID]map[usage.Series]uint64), used: make(map[usage.Use]usage.Times)}
		var stream []usage.Message
		var sent []report.Report
		last := make(map[string]uint64)
		now := noon
		for len(stream) < 300 {
			now = now.Add(time.Duration(random.IntN(600)) * time.Second)
			r := randomReport(random, last, now)
			if len(sent) > 0 && random.IntN(5) == 0 {
				r = sent[random.IntN(len(sent))]
			}
			sent = append(sent, r)
			stream = append(stream, usage.Message{Sequence: uint64(len(stream) + 1), Received: now, Report: &r})
			m.add(now, r)
		}
		f := b.open()
		for at := 0; at < len(stream); {
			n := min(1+random.IntN(20), len(stream)-at)
			batch := stream[max(0, at-random.IntN(3)):][:n] // some were folded before
			b.add(f, batch[len(batch)-1].Received, batch...)
			if random.IntN(3) == 0 { // a publisher ends, or another was faster
				f = b.open()
				at = int(f.Place.Covered)
				continue
			}
			b.write(f)
			at = int(f.Place.Covered)
		}
		f = b.open()
		for id, want := range m.segments {
			if diff := cmp.Diff(want, b.segment(id).Series); diff != "" {
				t.Fatalf("seed %d: %v (-model +series):\n%s", seed, id, diff)
			}
		}
		if len(b.segments) != len(m.segments) {
			t.Errorf("seed %d: %d segments, want %d", seed, len(b.segments), len(m.segments))
		}
		if diff := cmp.Diff(m.used, f.Last.Uses); diff != "" {
			t.Errorf("seed %d: last uses (-model +series):\n%s", seed, diff)
		}
		if p := f.Place; p.Reports != m.reports || p.Duplicates != m.again || p.Covered != 300 || p.Missed != 0 || p.Malformed != 0 {
			t.Errorf("seed %d: %d reports, %d again, want %d and %d; covered %d, missed %d", seed, p.Reports, p.Duplicates, m.reports, m.again, p.Covered, p.Missed)
		}
	}
}

func randomReport(random *rand.Rand, last map[string]uint64, now time.Time) report.Report {
	from := boot(random.IntN(5))
	last[from] += 1 + uint64(random.IntN(2))
	at := now.Add(-time.Duration(random.ExpFloat64() * float64(3*time.Hour))).Add(time.Minute)
	r := report.Report{
		Version: report.Version, Boot: from, N: last[from], From: at.Add(-time.Minute), To: at, Epoch: "00112233445566778899aabbccddeeff",
		Application: fmt.Sprint("app-", from[len(from)-1:]), Release: fmt.Sprint("v", random.IntN(2)),
	}
	for range random.IntN(4) {
		f := report.Flag{Key: fmt.Sprint("flag-", random.IntN(4)), Revision: uint64(1 + random.IntN(2))}
		for range 1 + random.IntN(3) {
			f.Counts = append(f.Counts, report.Count{
				Variant: fmt.Sprint("v", random.IntN(2)), Reason: "STATIC", Rule: random.IntN(2), Application: []string{"", "cart"}[random.IntN(2)],
				Bulk: random.IntN(4) == 0, N: uint64(1 + random.IntN(100)),
			})
		}
		r.Flags = append(r.Flags, f)
	}
	return r
}

func message(sequence uint64, received time.Time, r report.Report) usage.Message {
	return usage.Message{Sequence: sequence, Received: received, Report: &r}
}

func plain(n uint64, to time.Time) report.Report {
	return report.Report{
		Version: report.Version, Boot: boot(1), N: n, From: to.Add(-time.Minute), To: to, Application: "shop",
		Flags: []report.Flag{{Key: "f", Counts: []report.Count{{Variant: "on", Reason: "STATIC", N: 10}}}},
	}
}

// Clocks of sidecars that are wrong move counts by no more than three days, and never into the future.
func TestTimesAreBounded(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		to, want time.Time
		minutes  int
	}{
		{noon, noon, 1},
		{noon.Add(time.Hour), noon, 1},
		{noon.Add(-49 * time.Hour), noon.Add(-49 * time.Hour), 0},
		{noon.Add(-1000 * time.Hour), noon.Add(-72 * time.Hour), 0},
	} {
		b := newBooks(t)
		f := b.open()
		b.add(f, noon, message(1, noon, plain(1, test.to)))
		b.write(f)
		if b.segment(usage.Hour.At(test.want)).Sum() != 10 || b.segment(usage.Day.At(test.want)).Sum() != 10 || len(b.segments) != 2+test.minutes {
			t.Errorf("to %v: segments %v", test.to, maps.Keys(b.segments))
		}
	}
}

// What the stream removed, what cannot be read and what sidecars lost is told.
func TestWhatIsNotCountedIsTold(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	f := b.open()
	r := plain(1, noon)
	r.Lost = report.Lost{Reports: 2, Evaluations: 7}
	r.NotFound, r.NotFoundOthers = map[string]uint64{"gone": 3}, 4
	r.Unknown, r.Unchanged = map[string]int{"flagd.sync": 2}, 9
	b.add(f, noon, usage.NewMessage(3, noon, []byte("{")), message(4, noon, r))
	b.write(f)
	f = b.open()
	want := usage.Place{
		Covered: 4, Since: noon, Until: noon, Boots: map[string]usage.Boot{boot(1): {N: 1, At: noon.Unix(), Application: "shop", Clients: 2}},
		Reports: 1, Malformed: 1, Missed: 2, Lost: r.Lost, UnchangedAt: noon, MalformedAt: noon, MissedAt: noon, LostAt: noon,
	}
	if diff := cmp.Diff(want, f.Place); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s := b.segment(usage.Minute.At(noon))
	if s.NotFound[usage.NotFound{Key: "gone", Application: "shop"}] != 3 || s.NotFoundOthers != 4 || s.Lost != r.Lost {
		t.Errorf("%+v", s)
	}
	if n := f.Place.ClientsNow()["shop"]; n != 2 {
		t.Errorf("%d clients", n)
	}
	if at := f.Last.Clients[usage.Clients{Application: "shop", Protocol: "flagd.sync"}]; at != noon.Unix() {
		t.Errorf("clients seen at %d", at)
	}
	later := noon.Add(10 * time.Minute)
	b.add(f, later, message(5, later, plain(2, later)))
	if n := f.Place.ClientsNow()["shop"]; n != 0 {
		t.Errorf("%d clients later", n)
	}
}

// TestEventsAreNotFolded wants exposures and outcomes, and those that are lost, to be no counts and none that are missing. How many are lost is
// told by themselves.
func TestEventsAreNotFolded(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	f := b.open()
	events := report.Report{Boot: boot(1), N: 1, From: noon, To: noon}
	events.Lost = report.Lost{Exposures: 3, Outcomes: 4}
	for range 5 {
		events.Exposures = append(events.Exposures, report.Exposure{At: noon, Flag: "f", Variant: "on", Subject: "s"})
		events.Outcomes = append(events.Outcomes, report.Outcome{At: noon, Event: "e"})
	}
	b.add(f, noon, message(1, noon, events))
	b.write(f)
	want := usage.Place{Covered: 1, Since: noon, Until: noon, Boots: map[string]usage.Boot{boot(1): {N: 1, At: noon.Unix()}}, Reports: 1, Lost: events.Lost}
	if diff := cmp.Diff(want, b.open().Place); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(b.segments) != 0 {
		t.Errorf("%d segments of no counts", len(b.segments))
	}
}

// When reports come from another stream, what the one before had may be missed.
func TestAnotherStream(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	f := b.open()
	f.Move("one", 0, noon)
	if f.Messages() != 0 || !f.Place.MissedAt.IsZero() {
		t.Errorf("the first stream: %+v", f.Place)
	}
	b.add(f, noon, message(1, noon, plain(1, noon)))
	b.write(f)
	f = b.open()
	f.Move("two", 4, noon)
	if p := f.Place; f.Messages() == 0 || p.Source != "two" || p.Covered != 4 || p.Missed != 4 || !p.MissedAt.Equal(noon) {
		t.Errorf("another: %+v", p)
	}
}

// There is a bound on series, names and processes, and the sum is right all the same.
func TestRoomIsBounded(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	f := b.open()
	var sum uint64
	sequence := uint64(0)
	for i := range 60 {
		r := plain(1, noon)
		r.Boot, r.Application, r.Flags = boot(i), fmt.Sprint("app-", i), nil
		for j := range 1000 {
			r.Flags = append(r.Flags, report.Flag{Key: fmt.Sprint("f-", j*60+i), Revision: 1, Counts: []report.Count{{Variant: "on", Reason: "STATIC", N: 1}}})
		}
		sum += r.Sum()
		sequence++
		b.add(f, noon, message(sequence, noon, r))
	}
	b.write(f)
	f = b.open()
	s := b.segment(usage.Hour.At(noon))
	if s.Sum() != sum || s.Series[usage.Series{}] == 0 || len(s.Series) > usage.MaxSeries+5_001 {
		t.Errorf("%d evaluations of %d in %d series, %d of them without a name", s.Sum(), sum, len(s.Series), s.Series[usage.Series{}])
	}
	if n := len(f.Last.Uses); n < usage.MaxUses || n > usage.MaxUses*21/20 {
		t.Errorf("%d last uses", n)
	}
	long := plain(1, noon)
	long.Boot, long.Flags = boot(1000), nil
	for i := range 600 {
		long.Flags = append(long.Flags, report.Flag{Key: fmt.Sprint(i, strings.Repeat("\x01", 10_000)), Counts: []report.Count{{Reason: "STATIC", N: math.MaxUint64}}})
	}
	b.add(f, noon, message(sequence+1, noon, long))
	b.write(f)
	if s := b.segment(usage.Hour.At(noon)); s.Sum() != math.MaxUint64 {
		t.Errorf("%d evaluations", s.Sum())
	}
	p := usage.Place{Boots: make(map[string]usage.Boot), Until: noon}
	for i := range usage.MaxBoots + 10 {
		p.Boots[boot(i)] = usage.Boot{N: 1, At: noon.Unix() - int64(i)}
	}
	f = usage.NewFold(p, usage.NewLast())
	f.Changed()
	if _, kept := f.Place.Boots[boot(0)]; len(f.Place.Boots) != usage.MaxBoots || !kept {
		t.Errorf("%d processes", len(f.Place.Boots))
	}
}

func TestTimesOfSegments(t *testing.T) {
	t.Parallel()
	for _, resolution := range usage.Resolutions() {
		for _, at := range []time.Time{noon, noon.Add(-time.Second), time.Unix(-1, 0)} {
			id := resolution.At(at)
			if id.Time().After(at) || !id.Next().Time().After(at) {
				t.Errorf("%v has not %v", id, at)
			}
		}
	}
}

// Chunks that were read while others were written are recognised, and nothing that is damaged is taken.
func TestTornChunks(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	random := rand.New(rand.NewPCG(1, 1))
	s := usage.NewSegment()
	for range usage.MaxSeries {
		text := make([]byte, 60)
		for i := range text {
			text[i] = byte('a' + random.IntN(26))
		}
		s.Series[usage.Series{Flag: string(text)}] = random.Uint64()
	}
	old := must[[][]byte](t)(b.codec.Segment(s, 1))
	again := must[[][]byte](t)(b.codec.Segment(s, 2))
	if len(old) < 2 {
		t.Fatal("one chunk")
	}
	for name, chunks := range map[string][][]byte{
		"none": nil, "too few": old[:1], "of two": {old[0], again[1]}, "in another order": {old[1], old[0]},
	} {
		if _, err := b.codec.ReadSegment(chunks); !usage.IsTorn(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	later := append([]byte(nil), old[0]...)
	later[2]++
	if _, err := b.codec.ReadSegment([][]byte{later, old[1]}); err == nil || usage.IsTorn(err) {
		t.Errorf("another format: %v", err)
	}
}

func FuzzReadSegment(f *testing.F) {
	codec, err := usage.NewCodec()
	if err != nil {
		f.Fatal(err)
	}
	s := usage.NewSegment()
	s.Series[usage.Series{Flag: "f", Variant: "on", Reason: "STATIC", Application: "shop"}] = 3
	s.NotFound[usage.NotFound{Key: "gone"}] = 1
	chunks, err := codec.Segment(s, 7)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(chunks[0])
	f.Add([]byte("FU\x01\x00\x00\x00\x00\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := codec.ReadSegment([][]byte{data})
		if err != nil {
			return
		}
		again, err := codec.Segment(s, 7)
		if err != nil {
			t.Fatal(err)
		}
		back, err := codec.ReadSegment(again)
		if err != nil || back.Sum() != s.Sum() {
			t.Fatalf("%d evaluations of %d, %v", back.Sum(), s.Sum(), err)
		}
	})
}
