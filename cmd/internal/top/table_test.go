package top

import (
	"slices"
	"testing"
)

func TestLayout(t *testing.T) {
	tb := &table{
		columns: []column{{title: "NAME"}, {title: "N", right: true, least: 4}, {title: "MORE", give: 1}, {title: "WHY", give: 2}},
		rows:    [][]span{{{"abcdef", plain}, {"7", plain}, {"mm", plain}, {"because", plain}}},
	}
	for _, tt := range []struct {
		width int
		want  []int
	}{
		{40, []int{6, 4, 4, 20}}, // what remains goes to the last
		{27, []int{6, 4, 4, 7}},  // exactly
		{26, []int{6, 4, 14 - 2, 0}},
		{17, []int{6, 9, 0, 0}},
		{12, []int{6, 4, 0, 0}},
		{9, []int{3, 4, 0, 0}}, // what does not give way gets narrower
	} {
		if got := tb.layout(tt.width); !slices.Equal(got, tt.want) {
			t.Errorf("layout(%d) = %v, want %v", tt.width, got, tt.want)
		}
	}
	if got, want := tb.line(tb.rows[0], []int{4, 3, 0, 0}).String(), "abc…    7"; got != want {
		t.Errorf("a row is %q, want %q", got, want)
	}
}

func TestScroll(t *testing.T) {
	for _, tt := range []struct{ at, all, rows, want int }{
		{0, 5, 10, 0}, {4, 5, 10, 0}, {0, 100, 10, 0}, {50, 100, 10, 45}, {99, 100, 10, 90}, {0, 0, 10, 0},
	} {
		if got := scroll(tt.at, tt.all, tt.rows); got != tt.want {
			t.Errorf("scroll(%d, %d, %d) = %d, want %d", tt.at, tt.all, tt.rows, got, tt.want)
		}
	}
}

func TestFold(t *testing.T) {
	for _, tt := range []struct {
		text  string
		width int
		want  []string
	}{
		{"", 10, []string{""}}, {"one two three", 7, []string{"one two", "three"}}, {"overlong word", 4, []string{"overlong", "word"}},
	} {
		if got := fold(tt.text, tt.width); !slices.Equal(got, tt.want) {
			t.Errorf("fold(%q, %d) = %q, want %q", tt.text, tt.width, got, tt.want)
		}
	}
}
