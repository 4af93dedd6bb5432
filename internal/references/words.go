package references

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// words finds keys that stand for themselves in a text: what comes before and after is neither a letter nor a digit, neither _ nor -. So new-checkout
// does not name checkout, and flags.checkout does.
type words struct {
	byWord map[string][]candidate // by the first word of the key
	odd    []string               // keys without any word; these are found anywhere
}

// candidate is a key, and how many bytes of it come before its first word.
type candidate struct {
	key    string
	before int
}

func newWords(keys []string) *words {
	w := &words{byWord: map[string][]candidate{}}
	for _, key := range keys {
		start := strings.IndexFunc(key, inWord)
		if start < 0 {
			w.odd = append(w.odd, key)
			continue
		}
		first := key[start : start+wordLength(key[start:])]
		w.byWord[first] = append(w.byWord[first], candidate{key, start})
	}
	return w
}

// find calls found for each key in a line, with its place in bytes.
func (w *words) find(line string, found func(key string, at int)) {
	for at := 0; at < len(line); {
		length := wordLength(line[at:])
		if length == 0 {
			_, size := utf8.DecodeRuneInString(line[at:])
			at += size
			continue
		}
		for _, c := range w.byWord[line[at:at+length]] {
			if start := at - c.before; start >= 0 && strings.HasPrefix(line[start:], c.key) && bounded(line, start, start+len(c.key)) {
				found(c.key, start)
			}
		}
		at += length
	}
	for _, key := range w.odd {
		if at := strings.Index(line, key); at >= 0 {
			found(key, at)
		}
	}
}

// bounded reports whether no word goes on over the ends of a part.
func bounded(line string, start, end int) bool {
	before, _ := utf8.DecodeLastRuneInString(line[:start])
	first, _ := utf8.DecodeRuneInString(line[start:])
	last, _ := utf8.DecodeLastRuneInString(line[:end])
	after, _ := utf8.DecodeRuneInString(line[end:])
	return !(start > 0 && inWord(before) && inWord(first)) && !(end < len(line) && inWord(last) && inWord(after))
}

// wordLength returns how many bytes the word takes with which the text begins.
func wordLength(text string) int {
	end := strings.IndexFunc(text, func(r rune) bool { return !inWord(r) })
	if end < 0 {
		return len(text)
	}
	return end
}

func inWord(r rune) bool { return r == '_' || r == '-' || unicode.IsLetter(r) || unicode.IsDigit(r) }
