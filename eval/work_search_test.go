package eval

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
)

// costly makes rules and contexts that take as much work as they can for their size.
type costly struct{ generator }

// context has long lists, long texts, an object with many members, and lists of them.
func (g costly) context() string {
	n := 1 << g.IntN(14) // up to the megabyte that a request may have
	var members strings.Builder
	for i := range n {
		fmt.Fprintf(&members, `"m%d":%d,`, i, i)
	}
	long := quoted(g.pick("7", "a", " ", "1.", "é"), 8*n)
	object := `{` + members.String() + `"x":1}`
	return `{"targetingKey":` + long + `,"long":` + long + `,"same":` + long + `,"list":` + repeated(g.pick("1", `"1"`, `null`, `[]`, `[1,2]`, `{}`, `{"x":1,"y":2}`), n) +
		`,"other":` + repeated("2", n) + `,"object":` + object + `,"objects":[` + object + `,` + object + `],"texts":[` + long + `,` + long + `]}`
}

func (g costly) attribute() string {
	return `{"var":"` + g.pick("long", "same", "list", "other", "object", "objects", "texts", "list.0", "", "x", "m9", "current", "accumulator", "targetingKey") + `"}`
}

// expression is any operation; width and depth are what it can have.
func (g costly) expression(depth int) string {
	if depth <= 0 {
		return g.pick(g.attribute(), g.attribute(), `1`, `"x"`, `"`+strings.Repeat("7", 1<<g.IntN(10))+`"`)
	}
	inner := func() string { return g.expression(depth - 1 - g.IntN(2)) }
	switch name := g.pick("filter", "map", "some", "none", "all", "reduce", "or", "and", "fractional", "var", "missing", "call", "call", "call"); name {
	case "filter", "map", "some", "none", "all":
		return `{"` + name + `":[` + g.pick(g.attribute(), inner(), repeated("1", 1<<g.IntN(8))) + `,` + g.pick(inner(), `{"!!":[`+inner()+`]}`, `{"!":[`+inner()+`]}`) + `]}`
	case "reduce":
		return `{"reduce":[` + g.attribute() + `,{"` + g.pick("cat", "+", "max", "merge") + `":[` + inner() + `,{"var":"accumulator"}]},` + g.pick("0", `""`, "false") + `]}`
	case "or":
		return `{"or":` + repeated(`{"===":[`+inner()+`,"never"]}`, 1<<g.IntN(7)) + `}`
	case "and":
		return `{"and":` + repeated(`{"!==":[`+inner()+`,"never"]}`, 1<<g.IntN(7)) + `}`
	case "fractional":
		return `{"fractional":[` + g.pick(inner(), g.attribute(), `["a",1]`) + `,` + g.pick(`["on",1]`, `[`+inner()+`,1]`) + `]}`
	case "var":
		return g.pick(`{"var":[`+inner()+`,`+inner()+`]}`, `{"var":`+inner()+`}`)
	case "missing":
		return g.pick(`{"missing":`+inner()+`}`, `{"missing_some":[1,`+inner()+`]}`, `{"missing":["x","object.m1","y.z"]}`)
	default:
		operator := g.pick("==", "<", "===", "+", "max", "-", "in", "in", "cat", "substr", "merge", "set", "contains_any", "contains_all", "starts_with", "sem_ver")
		if operator == "sem_ver" {
			return `{"sem_ver":[` + inner() + `,"=",` + inner() + `]}`
		}
		return `{"` + operator + `":[` + inner() + strings.Repeat(`,`+inner(), 1+g.IntN(2)) + `]}`
	}
}

// rule repeats an expression, by an iteration or side by side.
func (g costly) rule() string {
	body := g.expression(1 + g.IntN(4))
	switch g.IntN(4) {
	case 0:
		return `{"or":` + repeated(`{"===":[`+body+`,"never"]}`, 1<<g.IntN(12)) + `}`
	case 1:
		return `{"map":[{"var":"` + g.pick("list", "other", "texts") + `"},` + body + `]}`
	case 2:
		return `{"none":[{"var":"list"},{"===":[` + body + `,"never"]}]}`
	default:
		return `{"none":[{"var":"list"},{"or":` + repeated(`{"===":[`+body+`,"never"]}`, 1<<g.IntN(8)) + `}]}`
	}
}

// TestNothingVisitsMoreThanTheLimit searches for documents and contexts that visit more nodes than they may, or that take long for it, and
// logs the slowest. FLAGSIDE_SOAK=1 searches longer.
func TestNothingVisitsMoreThanTheLimit(t *testing.T) {
	rounds := uint64(150)
	if os.Getenv("FLAGSIDE_SOAK") == "1" {
		rounds = 5000
	}
	slowest, ended := struct {
		time time.Duration
		rule string
		size int
	}{}, 0
	for seed := range rounds {
		g := costly{newGenerator(seed)}
		rule, context := g.rule(), g.context()
		r, _ := New().Update([]document.Document{settingsDocument(`{"compatibility":"flagd"}`), flagDocument("a", 1, `,"targeting":`+rule)})
		var c Context
		if err := r.DecodeContext(&c, []byte(context)); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		got := r.Flag("a").Evaluate(&c, testTime)
		took := time.Since(began)
		for range 3 { // what else the machine does is no work of the evaluation
			if took > slowest.time {
				began = time.Now()
				r.Flag("a").Evaluate(&c, testTime)
				took = min(took, time.Since(began))
			}
		}
		if took > slowest.time {
			slowest.time, slowest.rule, slowest.size = took, rule, len(context)
		}
		if strings.Contains(got.Detail, "the limit is ") {
			ended++
		}
		if visited, _ := visits(r.Flag("a"), &c); visited > DefaultMaxWork || visited > c.Work() {
			t.Fatalf("seed %d: visited %d nodes, charged for %d: %s", seed, visited, c.Work(), rule)
		}
	}
	if ended == 0 {
		t.Error("no evaluation reached the limit, so nothing was tried")
	}
	t.Logf("%d of %d evaluations reached the limit; the slowest took %v, with %d bytes of context: %.300s", ended, rounds, slowest.time, slowest.size, slowest.rule)
}
