package sending

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flagside/flagside/internal/fileaccess"
	"github.com/flagside/flagside/sync/usage"
)

// The room for reports that wait: on disk, and in memory where there is no disk.
const (
	diskRoom   = 16 << 20
	memoryRoom = 2 << 20
)

// waiting is a report that was not acknowledged yet.
type waiting struct {
	boot        string
	n           uint64
	from        time.Time
	evaluations uint64
	exposures   int
	outcomes    int
	counts      bool       // it tells of more than events and what is lost
	lost        usage.Lost // that it tells of
	size        int
	data        []byte // nil if it lies on disk
}

// contentOf returns what a report has, without its bytes.
func contentOf(r *usage.Report) waiting {
	rest := *r
	rest.Exposures, rest.Outcomes, rest.Lost = nil, nil, usage.Lost{}
	return waiting{
		boot: r.Boot, n: r.N, from: r.From, evaluations: r.Sum(), exposures: len(r.Exposures), outcomes: len(r.Outcomes), counts: !rest.Empty(), lost: r.Lost,
	}
}

// spool keeps reports in the order in which they are to be sent. It belongs to one goroutine.
type spool struct {
	dir     string // empty keeps them in memory
	room    int    // bytes
	reports []waiting
	size    int        // bytes of all reports
	lost    usage.Lost // since it was asked for
	dropped prometheus.Counter
}

func newSpool(dir string, dropped prometheus.Counter) *spool {
	if dir == "" {
		return &spool{room: memoryRoom, dropped: dropped}
	}
	return &spool{dir: dir, room: diskRoom, dropped: dropped}
}

// open reads what earlier processes left, which is to be sent first. When it cannot, reports are kept in memory.
func (s *spool) open() error {
	if s.dir == "" {
		return nil
	}
	err := os.MkdirAll(s.dir, 0o700)
	var entries []os.DirEntry
	if err == nil {
		entries, err = os.ReadDir(s.dir)
	}
	if err != nil {
		s.dir, s.room = "", memoryRoom
		return fmt.Errorf("reports of usage are kept in memory only: %w", err)
	}
	for _, e := range entries {
		if e.Type().IsRegular() {
			s.take(e.Name())
		}
	}
	slices.SortStableFunc(s.reports, func(a, b waiting) int {
		if a.boot == b.boot {
			return cmp.Compare(a.n, b.n)
		}
		return a.from.Compare(b.from)
	})
	s.makeRoom(0)
	return nil
}

// take takes over a file of an earlier process. What is no report is removed; it is lost, unless it was never finished.
func (s *spool) take(name string) {
	path := filepath.Join(s.dir, name)
	boot, n, ok := parseName(name)
	if !ok {
		_ = os.Remove(path)
		return
	}
	r, size, err := read(path)
	if err != nil || r.Boot != boot || r.N != n {
		_ = os.Remove(path)
		s.drop(waiting{counts: true}) // for all that is known
		return
	}
	w := contentOf(&r)
	w.size = size
	s.reports = append(s.reports, w)
	s.size += size
}

// add keeps a report until it is done. Others may be dropped for it. The errors say what became of it instead.
func (s *spool) add(r usage.Report) error {
	data, err := usage.Encode(r)
	if err != nil {
		s.drop(contentOf(&r))
		return fmt.Errorf("a report is dropped: %w", err)
	}
	w := contentOf(&r)
	w.size = len(data)
	s.makeRoom(w.size)
	if s.dir == "" {
		w.data = data
	} else if err := fileaccess.Replace(s.path(w), data); err != nil {
		w.data = data // a full disk keeps nothing; that it will not outlive the process is told
		if !s.keepInMemory(w) {
			return fmt.Errorf("a report is dropped, there is no room in memory either: %w", err)
		}
		return fmt.Errorf("a report is kept in memory only: %w", err)
	}
	s.append(w)
	return nil
}

// keepInMemory adds a report that could not be written, if there is room for it in memory, and reports whether there is.
func (s *spool) keepInMemory(w waiting) bool {
	inMemory := w.size
	for _, other := range s.reports {
		inMemory += len(other.data)
	}
	if inMemory > memoryRoom {
		s.drop(w)
		return false
	}
	s.append(w)
	return true
}

func (s *spool) append(w waiting) {
	s.reports = append(s.reports, w)
	s.size += w.size
}

// makeRoom drops the oldest reports until there is room: first those of events alone, so that events never take the place of counts.
func (s *spool) makeRoom(size int) {
	for len(s.reports) > 0 && s.size+size > s.room {
		i := max(slices.IndexFunc(s.reports, func(w waiting) bool { return !w.counts }), 0)
		s.drop(s.reports[i])
		s.remove(i)
	}
}

// drop counts a report as lost, with what it would have told to be. One of events alone, or of losses, is no report of counts that is missing.
func (s *spool) drop(w waiting) {
	if w.counts {
		s.lost.Reports++
	}
	s.lost.Reports += w.lost.Reports
	s.lost.Evaluations += w.evaluations + w.lost.Evaluations
	s.lost.Exposures += uint64(w.exposures) + w.lost.Exposures // #nosec G115 -- a length
	s.lost.Outcomes += uint64(w.outcomes) + w.lost.Outcomes    // #nosec G115 -- a length
	s.dropped.Inc()
}

// next returns the oldest report and its bytes; ok is false if there is none. What cannot be read any more is dropped.
func (s *spool) next() (w waiting, data []byte, ok bool) {
	for len(s.reports) > 0 {
		w := s.reports[0]
		if w.data != nil {
			return w, w.data, true
		}
		if data, err := readAll(s.path(w)); err == nil && len(data) == w.size {
			return w, data, true
		}
		s.drop(w)
		s.done()
	}
	return waiting{}, nil, false
}

// done forgets the oldest report.
func (s *spool) done() { s.remove(0) }

func (s *spool) remove(i int) {
	w := s.reports[i]
	s.reports = slices.Delete(s.reports, i, i+1)
	s.size -= w.size
	if w.data == nil {
		_ = os.Remove(s.path(w)) // one that stays is sent again by the next process, and known to be the same
	}
}

// takeLost returns what was lost since it was asked for.
func (s *spool) takeLost() usage.Lost {
	lost := s.lost
	s.lost = usage.Lost{}
	return lost
}

// suffix is that of files with reports.
const suffix = ".usage"

func (s *spool) path(w waiting) string {
	return filepath.Join(s.dir, w.boot+"-"+strconv.FormatUint(w.n, 10)+suffix)
}

func parseName(name string) (boot string, n uint64, ok bool) {
	name, ok = strings.CutSuffix(name, suffix)
	boot, number, found := strings.Cut(name, "-")
	n, err := strconv.ParseUint(number, 10, 64)
	return boot, n, ok && found && err == nil
}

// read returns the report in a file, and its size.
func read(path string) (usage.Report, int, error) {
	data, err := readAll(path)
	if err != nil {
		return usage.Report{}, 0, err
	}
	r, err := usage.Decode(data)
	return r, len(data), err
}

// readAll reads a file, and no more than a report may have.
func readAll(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, usage.MaxBytes+1))
}
