package cache

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// maxQuarantined is how many bad files of one name are kept.
const maxQuarantined = 3

// quarantine renames a file that cannot be believed to "<name>.bad-<n>", so
// that it can be examined and is not read again. Of several, the newest stay.
func (d *disk) quarantine(suffix string) (path string, err error) {
	numbers := d.quarantined(suffix)
	next := 1
	if len(numbers) > 0 {
		next = numbers[len(numbers)-1] + 1
	}
	for len(numbers) >= maxQuarantined {
		if err := os.Remove(d.path(badSuffix(suffix, numbers[0]))); err != nil {
			return "", err
		}
		numbers = numbers[1:]
	}
	return d.path(badSuffix(suffix, next)), d.rename(suffix, badSuffix(suffix, next))
}

// quarantined returns the numbers of the bad files of a name, in ascending order.
func (d *disk) quarantined(suffix string) []int {
	prefix := filepath.Base(d.path(suffix)) + ".bad-"
	entries, _ := os.ReadDir(d.dir) // unreadable: the renaming will say so
	var numbers []int
	for _, entry := range entries {
		digits, ok := strings.CutPrefix(entry.Name(), prefix)
		if n, err := strconv.Atoi(digits); ok && err == nil {
			numbers = append(numbers, n)
		}
	}
	slices.SortFunc(numbers, cmp.Compare[int])
	return numbers
}

func badSuffix(suffix string, n int) string {
	return suffix + ".bad-" + strconv.Itoa(n)
}
