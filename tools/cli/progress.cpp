// Progress of a compression on stderr.
#include "cli/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "cli/console.h"
#include "pqw/core/text.h"
#include "timing/text_table.h"

namespace pqw::tool {
namespace {

constexpr std::size_t kBarWidth = 24;
constexpr std::size_t kNameWidth = 28;

// "[######                  ]"
std::string bar(double share) {
  const auto filled = static_cast<std::size_t>(share * kBarWidth);
  return fmt::format("[{:<{}}]", std::string(filled, '#'), kBarWidth);
}

// Replaces the previous line. A longer line would wrap, and "\r" would not come back to its start.
void print_line(const std::string& line) {
  print_talk(fmt::format("\r\x1b[K{:.{}}", line, line_width(STDERR_FILENO) - 1));
}

}  // namespace

volatile std::sig_atomic_t parts_are_kept = 0;

Progress::Progress() : terminal_(::isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() { erase(); }

double Progress::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

void Progress::on_start(std::size_t n_tensors, std::size_t n_weights) {
  n_tensors_ = n_tensors;
  n_weights_ = n_weights;
  n_tensors_done_ = n_weights_done_ = 0;
}

// m rises while the search goes on, so the bar may step back.
void Progress::on_search(std::size_t n, std::size_t m) {
  constexpr std::size_t kPointsPerLine = 100;
  const std::string text = fmt::format("searching for the target: {} of {} trial runs", n, m);
  if (terminal_) {
    const double share = m == 0 ? 0 : static_cast<double>(n) / static_cast<double>(m);
    return print_line(fmt::format("{} {}", bar(share), text));
  }
  n_points_said_ = std::min(n_points_said_, n);         // a second search starts anew
  const bool is_first = n_points_said_ == 0 && n == m;  // the first trial runs are done
  if (n < n_points_said_ + kPointsPerLine && !is_first) return;
  n_points_said_ = n;
  print_talk(text + "\n");
}

void Progress::on_tensor(const TensorInfo& info) {
  current_ = info;
  draw(0);
}

void Progress::on_iteration(const EmIteration& iteration) { draw(iteration.iteration + 1); }

void Progress::on_tensor_done(const TensorReport& report) {
  ++n_tensors_done_;
  n_weights_done_ += element_count(report.info.shape);
  if (terminal_) return draw(0);
  if (!report.compressed()) return;
  const std::string error =
      report.distortion && report.compressed()
          ? fmt::format(", relative error {:.5f}", report.distortion->relative_error())
          : "";
  print_talk(fmt::format("[{}/{}] {} {}: {}, {:.3f} bits/weight{}\n", n_tensors_done_, n_tensors_,
                         printable(report.info.name), to_string(report.info.shape), report.codec,
                         report.bits_per_weight(), error));
}

void Progress::on_kept(const std::string& folder) {
  parts_are_kept = 1;
  constexpr double kLongRun = 60;  // seconds, after which the user should know that nothing is lost
  if (said_kept_ || seconds() < kLongRun) return;
  said_kept_ = true;
  erase();
  print_note(
      folder +
      ": finished tensors are kept; if this run is interrupted, --resume continues from them");
}

void Progress::on_not_kept(const std::string& why) {
  parts_are_kept = 0;
  erase();
  print_note("finished tensors are not kept: " + why);
}

void Progress::draw(std::size_t iteration) {
  if (!terminal_) return;
  const auto now = std::chrono::steady_clock::now();
  if (now - drawn_ < std::chrono::milliseconds(50)) return;
  drawn_ = now;
  const double share =
      n_weights_ == 0 ? 1 : static_cast<double>(n_weights_done_) / static_cast<double>(n_weights_);
  const double rate = static_cast<double>(n_weights_done_) / seconds();
  std::string eta = "?";
  if (n_weights_done_ > 0) {
    eta = fmt::format("{:.0f} s", static_cast<double>(n_weights_ - n_weights_done_) / rate);
  }
  std::string line = fmt::format("{} {}/{} {:.2f} M weights/s, ETA {}, {}", bar(share),
                                 n_tensors_done_, n_tensors_, rate / 1e6, eta,
                                 timing::cut_in_middle(printable(current_.name), kNameWidth));
  if (iteration > 0) line += fmt::format(": iteration {}", iteration);
  print_line(line);
}

void Progress::erase() {
  if (terminal_) print_talk("\r\x1b[K");
}

}  // namespace pqw::tool
