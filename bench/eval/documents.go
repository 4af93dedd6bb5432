package main

import (
	"fmt"
	"strings"
)

// oneRule is the targeting of most flags: one comparison of one attribute.
const oneRule = `{"if":[{"==":[{"var":"plan"},"pro"]},"on","off"]}`

// single is a kind of flag that is measured by itself.
type single struct {
	name      string
	targeting string // empty: none
	flagd     bool   // whether flagd can evaluate it
	more      string // further members of the flag
}

func singles() []single {
	return []single{
		{name: "static", flagd: true},
		{name: "one rule", targeting: oneRule, flagd: true},
		{name: "ten rules", targeting: tenRules(), flagd: true},
		{name: "fractional", targeting: `{"fractional":[["on",25],["off",75]]}`, flagd: true},
		{name: "semver", targeting: `{"if":[{"sem_ver":[{"var":"version"},">=","2.1.0"]},"on","off"]}`, flagd: true},
		{name: "list of 10k", targeting: `{"if":[{"in":[{"var":"country"},` + list(10_000) + `]},"on","off"]}`, flagd: true},
		{name: "chain of 5", targeting: oneRule, more: `,"prerequisites":[{"flag":"chain-4","variants":["on"]}]`},
	}
}

// tenRules returns a targeting of which the last of ten rules decides.
func tenRules() string {
	var b strings.Builder
	b.WriteString(`{"if":[`)
	for i := range 9 {
		fmt.Fprintf(&b, `{"and":[{"==":[{"var":"plan"},"plan-%d"]},{">":[{"var":"age"},%d]}]},"off",`, i, i)
	}
	b.WriteString(`{"==":[{"var":"plan"},"pro"]},"on","off"]}`)
	return b.String()
}

// list returns a JSON list of n countries, the last of which is that of the context.
func list(n int) string {
	var b strings.Builder
	b.WriteByte('[')
	for i := range n - 1 {
		fmt.Fprintf(&b, `"country-%d",`, i)
	}
	b.WriteString(`"CH"]`)
	return b.String()
}

// definition returns a flag as a member of flags.
func definition(key, targeting, more string) string {
	if targeting != "" {
		targeting = `,"targeting":` + targeting
	}
	return fmt.Sprintf(`%q:{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off"%s%s}`, key, targeting, more)
}

// file returns a flag file.
func file(definitions []string) []byte {
	return []byte(`{"flags":{` + strings.Join(definitions, ",") + `}}`)
}

// fileOf returns a file of one kind of flag, which is named after the kind, and of what it needs.
func fileOf(s single) []byte {
	definitions := []string{definition(s.name, s.targeting, s.more)}
	if !s.flagd {
		definitions = append(definitions, definition("chain-1", oneRule, ""))
		for i := 2; i < 5; i++ {
			definitions = append(definitions, definition(fmt.Sprintf("chain-%d", i), oneRule,
				fmt.Sprintf(`,"prerequisites":[{"flag":"chain-%d","variants":["on"]}]`, i-1)))
		}
	}
	return file(definitions)
}

// manyOf returns a file of n flags with one rule each.
func manyOf(n int) []byte {
	definitions := make([]string, n)
	for i := range definitions {
		definitions[i] = definition(fmt.Sprintf("flag-%06d", i), oneRule, "")
	}
	return file(definitions)
}

// mixOf returns a file of n flags: of ten, four are static, three have one rule, and the others ten rules, a distribution and a version.
func mixOf(n int) []byte {
	kinds := singles()
	kinds[5].targeting = `{"if":[{"in":[{"var":"country"},` + list(100) + `]},"on","off"]}`
	order := []single{kinds[0], kinds[1], kinds[0], kinds[2], kinds[1], kinds[0], kinds[3], kinds[1], kinds[0], kinds[4]}
	definitions := make([]string, n)
	for i := range definitions {
		definitions[i] = definition(fmt.Sprintf("flag-%06d", i), order[i%len(order)].targeting, "")
	}
	return file(definitions)
}

// request is the evaluation context of all evaluations: seven attributes, as applications send them.
const request = `{"targetingKey":"user-4711","email":"jon@example.com","plan":"pro","country":"CH","age":42,"version":"2.3.4","beta":true}`

// contextOf returns a context of n attributes, all of which the rules of rulesFor read.
func contextOf(n int) []byte {
	members := make([]string, n)
	for i := range members {
		switch i % 3 {
		case 0:
			members[i] = fmt.Sprintf(`"attribute-%d":"value-%d"`, i, i)
		case 1:
			members[i] = fmt.Sprintf(`"attribute-%d":%d`, i, i*1000)
		default:
			members[i] = fmt.Sprintf(`"attribute-%d":%t`, i, i%2 == 0)
		}
	}
	return []byte("{" + strings.Join(members, ",") + "}")
}

// rulesFor returns a file with a rule for each of the attributes of contextOf.
func rulesFor(n int) []byte {
	definitions := make([]string, n)
	for i := range definitions {
		definitions[i] = definition(fmt.Sprintf("flag-%d", i), fmt.Sprintf(`{"if":[{"==":[{"var":"attribute-%d"},1]},"on"]}`, i), "")
	}
	return file(definitions)
}
