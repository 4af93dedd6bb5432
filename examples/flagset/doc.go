// Package flagset makes up flag files of any size for tests and benchmarks. Their mix of flags resembles that of a large
// organisation: most are plain switches, some have rules, few have long ones.
package flagset
