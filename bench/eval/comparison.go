package main

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
)

// comparison is one line of the table: the same work done by both. Either side may be nil.
type comparison struct {
	name     string
	flagside func(*testing.B)
	flagd    func(*testing.B)
}

// comparisons returns everything that is measured.
func comparisons() []comparison {
	var lines []comparison
	for _, s := range singles() {
		lines = append(lines, evaluationOf(s))
	}
	for _, s := range singles() {
		lines = append(lines, requestFor(s))
	}
	lines = append(lines,
		bulkOf("bulk/1k one-rule", manyOf(1000)),
		bulkOf("bulk/10k one-rule", manyOf(10_000)),
		bulkOf("bulk/1k mixed", mixOf(1000)),
		decodingOf(5),
		decodingOf(50),
		compilationOf(10_000),
		updateOf(100_000),
	)
	return lines
}

// evaluationOf evaluates one flag for a context that is decoded already.
func evaluationOf(s single) comparison {
	line := comparison{name: "evaluate/" + s.name}
	line.flagside = func(b *testing.B) {
		rules := loaded(b, fileOf(s))
		var c eval.Context
		if err := rules.DecodeContext(&c, []byte(request)); err != nil {
			b.Fatal(err)
		}
		flag := rules.Flag(s.name)
		b.ReportAllocs()
		for b.Loop() {
			flag.Evaluate(&c, now)
		}
	}
	if !s.flagd {
		return line
	}
	line.flagd = func(b *testing.B) {
		f := loadedFlagd(b, fileOf(s))
		attributes, err := decode([]byte(request))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := f.one(b.Context(), s.name, attributes); err != nil {
				b.Fatal(err)
			}
		}
	}
	return line
}

// requestFor decodes a context, finds a flag by its key, and evaluates it.
func requestFor(s single) comparison {
	line := comparison{name: "decode+evaluate/" + s.name}
	line.flagside = func(b *testing.B) {
		rules := loaded(b, fileOf(s))
		var c eval.Context
		key, data := []byte(s.name), []byte(request)
		b.ReportAllocs()
		for b.Loop() {
			if err := rules.DecodeContext(&c, data); err != nil {
				b.Fatal(err)
			}
			rules.FlagBytes(key).Evaluate(&c, now)
		}
	}
	if !s.flagd {
		return line
	}
	line.flagd = func(b *testing.B) {
		f := loadedFlagd(b, fileOf(s))
		data := []byte(request)
		b.ReportAllocs()
		for b.Loop() {
			attributes, err := decode(data)
			if err != nil {
				b.Fatal(err)
			}
			if _, _, err := f.one(b.Context(), s.name, attributes); err != nil {
				b.Fatal(err)
			}
		}
	}
	return line
}

// bulkOf evaluates all flags of a file for one context, results only.
func bulkOf(name string, data []byte) comparison {
	return comparison{
		name: name,
		flagside: func(b *testing.B) {
			rules := loaded(b, data)
			var c eval.Context
			b.ReportAllocs()
			for b.Loop() {
				if err := rules.DecodeContext(&c, []byte(request)); err != nil {
					b.Fatal(err)
				}
				all(rules, &c)
			}
		},
		flagd: func(b *testing.B) {
			f := loadedFlagd(b, data)
			b.ReportAllocs()
			for b.Loop() {
				attributes, err := decode([]byte(request))
				if err != nil {
					b.Fatal(err)
				}
				if _, err := f.all(b.Context(), attributes); err != nil {
					b.Fatal(err)
				}
			}
		},
	}
}

// decodingOf decodes a context of n attributes, all of which rules read.
func decodingOf(n int) comparison {
	data := contextOf(n)
	return comparison{
		name: fmt.Sprintf("decode/%d attributes", n),
		flagside: func(b *testing.B) {
			rules := loaded(b, rulesFor(n))
			var c eval.Context
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if err := rules.DecodeContext(&c, data); err != nil {
					b.Fatal(err)
				}
			}
		},
		flagd: func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := decode(data); err != nil {
					b.Fatal(err)
				}
			}
		},
	}
}

// compilationOf loads a file of n flags.
func compilationOf(n int) comparison {
	data := manyOf(n)
	return comparison{
		name: fmt.Sprintf("load/%d flags", n),
		flagside: func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				loaded(b, data)
			}
		},
		flagd: func(b *testing.B) {
			f := loadedFlagd(b, data)
			b.ReportAllocs()
			for b.Loop() {
				if err := f.load(data); err != nil {
					b.Fatal(err)
				}
			}
		},
	}
}

// updateOf changes one flag among n. flagd has no such operation: it loads the file again.
func updateOf(n int) comparison {
	return comparison{
		name: fmt.Sprintf("update/one of %d", n),
		flagside: func(b *testing.B) {
			rules := loaded(b, manyOf(n))
			flag := rules.Flags()[n/2]
			change := document.Document{Kind: document.KindFlag, Key: flag.Key(), Revision: 2, Body: flag.Document()}
			b.ReportAllocs()
			for b.Loop() {
				if _, problems := rules.Update([]document.Document{change}); problems.Err() != nil {
					b.Fatal(problems)
				}
			}
		},
	}
}

// footprint is what a set of n flags with one rule each costs.
type footprint struct {
	flags        int
	bytesPerFlag float64
}

// footprintOf compiles n flags and measures what stays on the heap, the documents included.
func footprintOf(n int) (footprint, error) {
	documents, problems := eval.ParseFile(manyOf(n), "")
	if err := problems.Err(); err != nil {
		return footprint{}, err
	}
	var bodies int
	for i := range documents {
		bodies += len(documents[i].Body)
	}
	before := heap()
	rules, problems := eval.New().Update(documents)
	grown := heap() - before + uint64(bodies)
	runtime.KeepAlive(rules)
	return footprint{flags: n, bytesPerFlag: float64(grown) / float64(n)}, problems.Err()
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func loaded(b *testing.B, data []byte) *eval.Ruleset {
	b.Helper()
	rules, err := flagside(data)
	if err != nil {
		b.Fatal(err)
	}
	return rules
}

func loadedFlagd(b *testing.B, data []byte) flagd {
	b.Helper()
	f, err := newFlagd(data)
	if err != nil {
		b.Fatal(err)
	}
	return f
}
