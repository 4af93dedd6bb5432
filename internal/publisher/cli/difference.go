package cli

import (
	"fmt"
	"slices"
	"strings"
)

// contextLines is how many lines that are the same are shown before and after those that differ.
const contextLines = 3

// line is a line of a difference: ' ' in both, '-' before, '+' after.
type line struct {
	sign byte
	text string
}

// difference returns what differs in the form that diff -u made common, without line numbers; nothing if nothing does.
func difference(before, after side) string {
	if before.text == after.text {
		return ""
	}
	all := compare(splitLines(before.text), splitLines(after.text))
	var out strings.Builder
	fmt.Fprintf(&out, "--- %s\n+++ %s\n", printable(before.name), printable(after.name))
	shown := -1
	for i, l := range all {
		if !near(all, i) {
			continue
		}
		if shown != i-1 {
			out.WriteString("...\n")
		}
		shown = i
		fmt.Fprintf(&out, "%c %s\n", l.sign, printable(l.text))
	}
	return out.String()
}

func splitLines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// near reports whether a line differs or is close to one that does.
func near(all []line, i int) bool {
	for j := max(0, i-contextLines); j <= min(len(all)-1, i+contextLines); j++ {
		if all[j].sign != ' ' {
			return true
		}
	}
	return false
}

// compare returns a shortest way from one list of lines to another, by their longest common subsequence. What both begin and end with is
// set aside first, so that large documents that differ little cost little.
func compare(before, after []string) []line {
	var head, tail []line
	for len(before) > 0 && len(after) > 0 && before[0] == after[0] {
		head = append(head, line{' ', before[0]})
		before, after = before[1:], after[1:]
	}
	for len(before) > 0 && len(after) > 0 && before[len(before)-1] == after[len(after)-1] {
		tail = append(tail, line{' ', before[len(before)-1]})
		before, after = before[:len(before)-1], after[:len(after)-1]
	}
	all := append(head, differing(before, after)...)
	for _, l := range slices.Backward(tail) {
		all = append(all, l)
	}
	return all
}

// maxCells bounds the work of one comparison. Beyond it everything is shown as replaced.
const maxCells = 4 << 20

func differing(before, after []string) []line {
	var all []line
	common := longest(before, after)
	i, j := 0, 0
	for i < len(before) || j < len(after) {
		switch {
		case common != nil && i < len(before) && j < len(after) && before[i] == after[j]:
			all = append(all, line{' ', before[i]})
			i, j = i+1, j+1
		case j == len(after) || i < len(before) && (common == nil || common[i+1][j] >= common[i][j+1]):
			all = append(all, line{'-', before[i]})
			i++
		default:
			all = append(all, line{'+', after[j]})
			j++
		}
	}
	return all
}

// longest returns, for each pair of tails, the length of their longest common subsequence; nil if there are too many.
func longest(before, after []string) [][]int {
	if len(before)*len(after) > maxCells {
		return nil
	}
	common := make([][]int, len(before)+1)
	common[len(before)] = make([]int, len(after)+1)
	for i := len(before) - 1; i >= 0; i-- {
		common[i] = make([]int, len(after)+1)
		for j := len(after) - 1; j >= 0; j-- {
			common[i][j] = max(common[i+1][j], common[i][j+1])
			if before[i] == after[j] {
				common[i][j] = common[i+1][j+1] + 1
			}
		}
	}
	return common
}
