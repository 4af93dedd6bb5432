package eval

import (
	"strings"
	"testing"
)

// scalarRules evaluates every operator that makes no list or object, on attributes, so that nothing is known beforehand.
var scalarRules = map[string][]string{
	"var":            {`{"var":"plan"}`, `{"var":["absent","off"]}`, `{"var":"app.version"}`, `{"var":"roles.1"}`},
	"if":             {`{"if":[{"var":"absent"},"off",{"var":"plan"},"on"]}`},
	"?:":             {`{"?:":[{"var":"plan"},"on","off"]}`},
	"and":            {`{"and":[{"var":"plan"},{"var":"age"}]}`},
	"or":             {`{"or":[{"var":"absent"},{"var":"age"}]}`},
	"!":              {`{"!":[{"var":"plan"}]}`, `{"!":{"var":"plan"}}`},
	"!!":             {`{"!!":[{"var":"plan"}]}`, `{"!!":{"var":"plan"}}`},
	"==":             {`{"==":[{"var":"plan"},"pro"]}`, `{"==":[{"var":"age"},"42"]}`, `{"==":[{"var":"age"},{"var":"app.build"}]}`},
	"!=":             {`{"!=":[{"var":"plan"},"pro"]}`, `{"!=":[{"var":"age"},{"var":"plan"}]}`},
	"===":            {`{"===":[{"var":"plan"},"pro"]}`, `{"===":[{"var":"age"},42]}`},
	"!==":            {`{"!==":[{"var":"plan"},"pro"]}`, `{"!==":[{"var":"age"},42]}`},
	"<":              {`{"<":[{"var":"age"},50]}`, `{"<":[1,{"var":"age"},50]}`, `{"<":[{"var":"plan"},{"var":"country"}]}`},
	"<=":             {`{"<=":[{"var":"age"},50]}`, `{"<=":[1,{"var":"age"},50]}`},
	">":              {`{">":[{"var":"age"},50]}`, `{">":[{"var":"$flagd.timestamp"},1600000000]}`},
	">=":             {`{">=":[{"var":"age"},50]}`, `{">=":[100,{"var":"age"},50]}`},
	"+":              {`{"+":[{"var":"age"},"1"]}`, `{"+":{"var":"age"}}`},
	"-":              {`{"-":[{"var":"age"},1]}`},
	"*":              {`{"*":[{"var":"age"},2]}`},
	"/":              {`{"/":[{"var":"age"},2]}`},
	"%":              {`{"%":[{"var":"age"},5]}`},
	"abs":            {`{"abs":[{"var":"age"}]}`},
	"min":            {`{"min":[{"var":"age"},5,7]}`},
	"max":            {`{"max":[{"var":"age"},5,7]}`},
	"in":             {`{"in":[{"var":"plan"},["a","pro"]]}`, `{"in":["ro",{"var":"plan"}]}`, `{"in":["admin",{"var":"roles"}]}`, `{"in":[{"var":"age"},[[40,50]]]}`},
	"cat":            {`{"cat":["a ",{"var":"plan"},{"var":"age"}," "]}`, `{"cat":[{"var":"plan"}]}`},
	"substr":         {`{"substr":[{"var":"plan"},1]}`, `{"substr":[{"var":"note"},-3,2]}`},
	"starts_with":    {`{"starts_with":[{"var":"plan"},"p"]}`, `{"starts_with":[{"var":"plan"},{"var":"country"}]}`},
	"ends_with":      {`{"ends_with":[{"var":"plan"},"o"]}`, `{"ends_with":[{"var":"plan"},{"var":"country"}]}`},
	"sem_ver":        {`{"sem_ver":[{"var":"app.version"},"^","2.0.0"]}`, `{"sem_ver":[{"var":"app.version"},"~",{"var":"app.version"}]}`, `{"sem_ver":[{"var":"age"},">=","1.2"]}`},
	"fractional":     {`{"fractional":[["on",1],["off",1]]}`, `{"fractional":[{"var":"absent"},["on",1],["off",1]]}`, `{"fractional":[{"cat":["a",{"var":"email"}]},["on",1],["off"]]}`},
	"all":            {`{"all":[{"var":"roles"},{"!=":[{"var":""},"x"]}]}`},
	"some":           {`{"some":[{"var":"roles"},{"==":[{"var":""},"admin"]}]}`},
	"none":           {`{"none":[{"var":"roles"},{"==":[{"var":""},"x"]}]}`},
	"contains_all":   {`{"contains_all":[{"var":"roles"},["dev"]]}`},
	"contains_any":   {`{"contains_any":[{"var":"roles"},["dev","x"]]}`},
	"contains_none":  {`{"contains_none":[{"var":"roles"},["x"]]}`},
	"$ref":           {`{"$ref":"employees"}`},
	"failing":        {`{"+":[{"var":"absent"},1]}`, `{"cat":[{"var":"beta"},{"var":"roles"}]}`},
	"naming nothing": {`{"cat":["no ",{"var":"plan"}]}`},
}

// listOperators make lists or objects, for which they need memory.
const listOperators = ", missing, missing_some, merge, map, filter, reduce, set, "

func TestNoScalarOperatorAllocates(t *testing.T) {
	for operator := range strings.SplitSeq(operatorNames, ", ") {
		if scalarRules[operator] == nil && !strings.Contains(listOperators, ", "+operator+", ") {
			t.Errorf("%s is not measured", operator)
		}
	}
	for operator, rules := range scalarRules {
		for _, rule := range rules {
			for name, targeting := range map[string]string{"condition": `{"if":[` + rule + `,"on","off"]}`, "answer": rule} {
				r := apply(t, New(), settingsDocument(`{"compatibility":"flagd"}`), segmentDocument("employees", `{"ends_with":[{"var":"email"},"@example.com"]}`), flagDocument("a", 1, `,"targeting":`+targeting))
				f := r.Flag("a")
				var c Context
				data := []byte(speedContext)
				allocations := testing.AllocsPerRun(100, func() {
					if err := r.DecodeContext(&c, data); err != nil {
						t.Fatal(err)
					}
					f.Evaluate(&c, testTime)
				})
				if allocations != 0 {
					t.Errorf("%s as %s: %s: %v allocations", operator, name, rule, allocations)
				}
			}
		}
	}
}
