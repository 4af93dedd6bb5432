package eval

import (
	"fmt"
	"sync"
	"testing"
	"unsafe"

	"github.com/flagside/flagside/document"
)

// speedFlags are one flag of each kind whose evaluation must not allocate.
func speedFlags() []document.Document {
	return []document.Document{
		segmentDocument("employees", `{"ends_with":[{"var":"email"},"@example.com"]}`),
		flagDocument("static", 1, ""),
		flagDocument("exposed", 1, `,"exposures":true,"targeting":{"fractional":[["on",25],["off",75]]}`),
		flagDocument("rule", 1, `,"targeting":{"if":[{"==":[{"var":"plan"},"pro"]},"on","off"]}`),
		flagDocument("ten-rules", 1, `,"targeting":{"if":[`+tenRules()+`"on"]}`),
		flagDocument("fractional", 1, `,"targeting":{"fractional":[["on",25],["off",75]]}`),
		flagDocument("seeded", 1, `,"targeting":{"fractional":[{"cat":[{"var":"$flagd.flagKey"},{"var":"email"}]},["on",25],["off",75]]}`),
		flagDocument("version", 1, `,"targeting":{"if":[{"sem_ver":[{"var":"app.version"},">=","2.1.0"]},"on"]}`),
		flagDocument("segment", 1, `,"targeting":{"if":[{"$ref":"employees"},"on"]}`),
		flagDocument("list", 1, `,"targeting":{"if":[{"in":[{"var":"country"},`+longList()+`]},"on"]}`),
		flagDocument("substring", 1, `,"targeting":{"if":[{"==":[{"substr":[{"var":"email"},0,3]},"jon"]},"on"]}`),
		flagDocument("window", 1, `,"targeting":{"if":[{"<":[1600000000,{"var":"$flagd.timestamp"},1800000000]},"on"]}`),
		flagDocument("membership", 1, `,"targeting":{"if":[{"in":["admin",{"var":"roles"}]},"on"]}`),
		flagDocument("object", 1, `,"targeting":{"if":[{"!!":[{"var":"device"}]},"on"]}`),
		flagDocument("joined", 1, `,"targeting":{"if":[{"==":[{"cat":[{"var":"plan"},"-",{"var":"country"}]},"pro-CH"]},"on"]}`),
		flagDocument("chain-1", 1, onForEverybody),
		flagDocument("chain-2", 1, onForEverybody+prerequisites(prerequisite1("chain-1", "on"))),
		flagDocument("chain-3", 1, onForEverybody+prerequisites(prerequisite1("chain-2", "on"))),
		flagDocument("chain-4", 1, onForEverybody+prerequisites(prerequisite1("chain-3", "on"))),
		flagDocument("chain-5", 1, onForEverybody+prerequisites(prerequisite1("chain-4", "on"))),
	}
}

func tenRules() string {
	s := ""
	for i := range 10 {
		s += fmt.Sprintf(`{"and":[{"==":[{"var":"plan"},"plan-%d"]},{">":[{"var":"age"},%d]}]},"off",`, i, i)
	}
	return s
}

func longList() string {
	s := `["XX"`
	for i := range 10_000 {
		s += fmt.Sprintf(`,"country-%d"`, i)
	}
	return s + `,"CH"]`
}

const speedContext = `{"targetingKey":"user-4711","email":"jon@example.com","plan":"pro","country":"CH","age":42,"app":{"version":"2.3.4","build":17},` +
	`"device":{"os":"ios","model":"phone"},"roles":["dev","admin"],"note":"a \"quoted\" note"}`

func TestEvaluationDoesNotAllocate(t *testing.T) {
	r := apply(t, New(), speedFlags()...)
	data := []byte(speedContext)
	var c Context
	for _, f := range r.Flags() {
		key := []byte(f.Key())
		allocations := testing.AllocsPerRun(200, func() {
			if err := r.DecodeContext(&c, data); err != nil {
				t.Fatal(err)
			}
			if got := r.FlagBytes(key).Evaluate(&c, testTime); got.ErrorCode != "" {
				t.Fatalf("%s: %s", key, got.Detail)
			}
		})
		if allocations != 0 {
			t.Errorf("%s: %v allocations", key, allocations)
		}
	}
}

// TestConcurrentUpdateAndEvaluate evaluates on shared sets while new ones are made from them. The race detector does the checking; the
// answers must be one of those that some set gives.
func TestConcurrentUpdateAndEvaluate(t *testing.T) {
	sets := make(chan *Ruleset, 1)
	sets <- apply(t, New(), speedFlags()...)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			var c Context
			for range 300 {
				r := <-sets
				sets <- r
				if err := r.DecodeContext(&c, []byte(speedContext)); err != nil {
					t.Error(err)
					return
				}
				for _, f := range r.Flags() {
					if got := f.Evaluate(&c, testTime); got.ErrorCode != "" {
						t.Errorf("%s: %s", f.Key(), got.Detail)
					}
				}
			}
		})
	}
	wg.Go(func() {
		for i := range 300 {
			r := <-sets
			next, problems := r.Update([]document.Document{
				flagDocument("rule", uint64(i), fmt.Sprintf(`,"targeting":{"if":[{"==":[{"var":"attribute-%d"},1]},"on"]}`, i%40)),
				flagDocument("chain-1", uint64(i), onForEverybody),
				segmentDocument("employees", `{"ends_with":[{"var":"email"},"@example.org"]}`),
			})
			if err := problems.Err(); err != nil {
				t.Error(err)
			}
			sets <- next
		}
	})
	wg.Wait()
}

func BenchmarkEvaluate(b *testing.B) {
	r := apply(b, New(), speedFlags()...)
	var c Context
	if err := r.DecodeContext(&c, []byte(speedContext)); err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"static", "rule", "ten-rules", "fractional", "seeded", "version", "segment", "list", "chain-5"} {
		b.Run(name, func(b *testing.B) {
			f := r.Flag(name)
			b.ReportAllocs()
			for b.Loop() {
				f.Evaluate(&c, testTime)
			}
		})
	}
}

func BenchmarkDecodeContext(b *testing.B) {
	r := apply(b, New(), speedFlags()...)
	data := []byte(speedContext)
	var c Context
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if err := r.DecodeContext(&c, data); err != nil {
			b.Fatal(err)
		}
	}
}

// manyFlags returns n flags with one rule each.
func manyFlags(n int) []document.Document {
	documents := make([]document.Document, n)
	for i := range documents {
		documents[i] = flagDocument(fmt.Sprintf("flag-%06d", i), 1, `,"targeting":{"if":[{"==":[{"var":"plan"},"pro"]},"on","off"]}`)
	}
	return documents
}

func BenchmarkUpdate(b *testing.B) {
	b.Run("compile-10k", func(b *testing.B) {
		documents := manyFlags(10_000)
		b.ReportAllocs()
		for b.Loop() {
			apply(b, New(), documents...)
		}
	})
	documents := append(manyFlags(100_000),
		segmentDocument("few", `{"==":[{"var":"plan"},"pro"]}`), segmentDocument("many", `{"==":[{"var":"plan"},"free"]}`),
		flagDocument("depends", 1, `,"targeting":{"if":[{"$ref":"few"},"on"]}`+prerequisites(prerequisite1("flag-050000", "on"))))
	for i := range 10_000 {
		documents[i] = flagDocument(documents[i].Key, 1, `,"targeting":{"if":[{"$ref":"many"},"on","off"]}`)
	}
	r := apply(b, New(), documents...)
	for name, change := range map[string]document.Document{
		"one-of-100k":          documents[60_000],
		"prerequisite-of-100k": documents[50_000],
		"segment-of-100k":      segmentDocument("few", `{"==":[{"var":"plan"},"new"]}`),
		"new-dependant":        flagDocument("flag-070000", 2, `,"targeting":{"if":[{"$ref":"many"},"on"]}`),
		"new-attribute":        flagDocument("flag-080000", 2, `,"targeting":{"if":[{"var":"something.new"},"on"]}`),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				apply(b, r, change)
			}
		})
	}
}

// A flag that is larger takes the next size of the allocator, 64 bytes more for each flag of an environment.
func TestFlagFitsItsSizeClass(t *testing.T) {
	const class, header = 576, 8
	if size := unsafe.Sizeof(Flag{}); size > class-header {
		t.Errorf("a flag takes %d bytes", size)
	}
}
