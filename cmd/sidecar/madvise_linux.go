package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

// forgetStart lets the system take back the pages of the program file that were needed until now. Most of them were needed by the start
// only. Those that are needed again come back from the page cache, which takes about a microsecond each.
func forgetStart() error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	maps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return err
	}
	defer maps.Close()
	unchanged, err := unchangedMappings(maps, program)
	if err != nil {
		return err
	}
	for _, m := range unchanged {
		if _, _, failed := syscall.Syscall(syscall.SYS_MADVISE, m.begin, m.end-m.begin, syscall.MADV_DONTNEED); failed != 0 {
			return fmt.Errorf("madvise: %w", failed)
		}
	}
	return nil
}

// mapping is a range of addresses at which a file stands in memory.
type mapping struct{ begin, end uintptr }

// unchangedMappings reads what proc(5) describes as smaps and returns the mappings of a file that is as it is on disk there: it cannot be
// written to, and no page of it was, whether that page is in memory or swapped out. Such pages are breakpoints of a debugger or a tracer,
// and addresses that the loader filled in before it protected them.
func unchangedMappings(smaps io.Reader, file string) ([]mapping, error) {
	var found []mapping
	var m mapping
	candidate, kept := false, false // whether m cannot be written to, and has no page in memory that is not as in the file
	lines := bufio.NewScanner(smaps)
	for lines.Scan() {
		line := lines.Bytes()
		switch {
		case bytes.HasSuffix(line, []byte(" "+file)):
			var access string
			if _, err := fmt.Sscanf(string(line), "%x-%x %s", &m.begin, &m.end, &access); err != nil {
				return nil, fmt.Errorf("smaps: %w", err)
			}
			candidate, kept = !strings.Contains(access, "w"), false
		case candidate && bytes.HasPrefix(line, []byte("Anonymous:")):
			kept = bytes.HasSuffix(line, []byte(" 0 kB"))
		case candidate && bytes.HasPrefix(line, []byte("Swap:")):
			if kept && bytes.HasSuffix(line, []byte(" 0 kB")) {
				found = append(found, m)
			}
			candidate = false
		}
	}
	return found, lines.Err()
}
