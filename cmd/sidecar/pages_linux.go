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
// written to, and nobody, such as a debugger or a tracer, has set a breakpoint.
func unchangedMappings(smaps io.Reader, file string) ([]mapping, error) {
	var found []mapping
	var m mapping
	candidate := false // whether m waits for the line that says how much of it is not as in the file
	lines := bufio.NewScanner(smaps)
	for lines.Scan() {
		line := lines.Bytes()
		switch {
		case bytes.HasSuffix(line, []byte(" "+file)):
			var access string
			if _, err := fmt.Sscanf(string(line), "%x-%x %s", &m.begin, &m.end, &access); err != nil {
				return nil, fmt.Errorf("smaps: %w", err)
			}
			candidate = !strings.Contains(access, "w")
		case candidate && bytes.HasPrefix(line, []byte("Anonymous:")):
			if bytes.HasSuffix(line, []byte(" 0 kB")) {
				found = append(found, m)
			}
			candidate = false
		}
	}
	return found, lines.Err()
}
