#include "bench/report/svg.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir::bench {

namespace {

constexpr int kWidth = 860;
constexpr int kBarLeft = 360;
constexpr int kBarWidth = 400;  // of what is as fast as the raw disk
constexpr int kRow = 22;
constexpr int kHead = 46;
constexpr double kShownMax = 1.2;

std::string escaped(const std::string& text) {
  std::string out;
  for (const char character : text) {
    switch (character) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      default: out += character;
    }
  }
  return out;
}

/// Where less is better, twice the time is half the speed.
double speed(const Figures& figures, double ratio) {
  return figures.measurement.better == Better::kMore || ratio == 0 ? ratio : 1 / ratio;
}

int length_of(double share) { return static_cast<int>(std::min(share, kShownMax) * kBarWidth); }

std::string mark_of(const Figures& figures, int top) {
  for (const Target& target : figures.measurement.targets) {
    if (target.of != Target::Of::kRaw) continue;
    const int x = kBarLeft + length_of(speed(figures, target.bound));
    return fmt::format("<line x1=\"{0}\" x2=\"{0}\" y1=\"{1}\" y2=\"{2}\" class=\"target\"/>\n", x, top - 1, top + 15);
  }
  return "";
}

std::string row_of(const Figures& figures, double ratio, int top) {
  const double share = speed(figures, ratio);
  std::string text = fmt::format("<text x=\"{}\" y=\"{}\" class=\"name\">{}</text>\n", kBarLeft - 10, top + 11,
                                 escaped(figures.measurement.name));
  text += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"14\" class=\"bar\"/>\n", kBarLeft, top,
                      std::max(1, length_of(share)));
  text += fmt::format("<text x=\"{}\" y=\"{}\" class=\"value\">{:.2f}</text>\n", kBarLeft + length_of(share) + 6,
                      top + 11, share);
  return text + mark_of(figures, top);
}

}  // namespace

std::string svg_of(const std::vector<Figures>& all) {
  std::string rows;
  int top = kHead;
  for (const Figures& figures : all) {
    const auto ratio = figures.share_of("raw");
    if (!ratio) continue;
    rows += row_of(figures, *ratio, top);
    top += kRow;
  }
  const int height = top + 10;
  std::string text = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" "
      "font-family=\"sans-serif\" font-size=\"12\">\n",
      kWidth, height);
  text +=
      "<style>.bar{fill:#2f6f9f}.name{text-anchor:end;fill:#222}.value{fill:#222}"
      ".full{stroke:#999;stroke-dasharray:4 3}.target{stroke:#c0392b;stroke-width:2}</style>\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n";
  text += fmt::format(
      "<text x=\"{}\" y=\"22\" fill=\"#222\">speed of Weir as a share of the raw disk (dashed: 1.00; red: "
      "target)</text>\n",
      kBarLeft);
  text += fmt::format("<line x1=\"{0}\" x2=\"{0}\" y1=\"32\" y2=\"{1}\" class=\"full\"/>\n", kBarLeft + kBarWidth,
                      height - 8);
  return text + rows + "</svg>\n";
}

}  // namespace weir::bench
