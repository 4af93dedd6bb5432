package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Lookup returns what os.LookupEnv does, for an environment as os.Environ returns it.
func Lookup(environ []string) func(name string) (string, bool) {
	values := make(map[string]string, len(environ))
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		values[name] = value
	}
	return func(name string) (string, bool) {
		value, ok := values[name]
		return value, ok
	}
}

// serviceLink is what Kubernetes calls the variables that name the services of a namespace, which a service called flagside gets too.
var serviceLink = regexp.MustCompile(`^[A-Z0-9_]+_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PORT|PROTO|ADDR))?)$`)

// Unknown returns a sentence for each variable of an environment that looks like an option and is none of the given sets, which are those
// of one program, in order. near restricts them to those that one option resembles.
func Unknown(environ []string, near bool, sets ...*Set) []string {
	var known []string
	for _, set := range sets {
		for _, option := range set.all() {
			known = append(known, option.Env)
			if option.secretEnv != "" {
				known = append(known, option.secretEnv)
			}
		}
	}
	slices.Sort(known)
	var sentences []string
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, envPrefix) || slices.Contains(known, name) {
			continue
		}
		similar := Similar(name, known)
		switch {
		case similar != "":
			sentences = append(sentences, fmt.Sprintf("environment variable %s is no option and is ignored: did you mean %s?", name, similar))
		case !near && !serviceLink.MatchString(name):
			sentences = append(sentences, fmt.Sprintf("environment variable %s is no option and is ignored", name))
		}
	}
	slices.Sort(sentences)
	return sentences
}

// Similar returns the known name that differs least from another one, if two letters that are missing, superfluous, wrong or exchanged
// explain that, one in a name of four letters or fewer; empty if there is none.
func Similar(name string, known []string) string {
	best, least := "", 3
	if len(name) <= 4 {
		least = 2
	}
	for _, candidate := range known {
		if d := distance(name, candidate); d < least {
			best, least = candidate, d
		}
	}
	return best
}

// distance returns how many letters have to be added, removed, replaced or exchanged with the next one to turn a into b: the optimal string
// alignment distance.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			replaced := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, replaced)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
