#include "options.h"

#include <getopt.h>

#include <cstdio>
#include <cstdlib>

namespace weir::exerciser {
namespace {

constexpr const char* kUsage =
    "weir_exerciser [OPTION]... WEIR PLAIN\n"
    "Does the same random operations in an empty directory of a Weir mount and in one of a plain disk, and compares\n"
    "every result.\n"
    "  --operations N        how many, over all processes; default 10000\n"
    "  --processes N         how many work at once; default 4\n"
    "  --seed N              repeats a run; default: another each time\n"
    "  --only N              runs only this process of the seed\n"
    "  --shared-files N      how many files all processes work on; default 3\n"
    "  --disturb COMMAND     a shell command to be run now and then meanwhile\n"
    "  --disturb-every MS    the pause before it is run again; default 5000\n"
    "  --trace FILE          writes every operation of process N to FILE.N\n"
    "  --unmap-before-close  unmaps what is mapped through a descriptor before that is closed\n"
    "  --no-unnamed-files    leaves O_TMPFILE out, which a mount has since Linux 6.1\n"
    "  --wait-for-room       the mount's disk is full now and then: what is refused for that is done again\n";

[[noreturn]] void refuse(const char* what, const char* text) {
  std::fprintf(stderr, "%sexerciser: %s '%s'\n", kUsage, what, text);
  std::exit(2);
}

uint64_t number(const char* text) {
  char* end = nullptr;
  const uint64_t value = std::strtoull(text, &end, 10);
  if (*text < '0' || *text > '9' || *end != '\0') refuse("this is no number:", text);
  return value;
}

}  // namespace

Options read_options(int argc, char** argv) {
  static const option kOptions[] = {
      {"operations", required_argument, nullptr, 'o'},    {"processes", required_argument, nullptr, 'p'},
      {"seed", required_argument, nullptr, 's'},          {"only", required_argument, nullptr, 'n'},
      {"shared-files", required_argument, nullptr, 'f'},  {"disturb", required_argument, nullptr, 'd'},
      {"disturb-every", required_argument, nullptr, 'e'}, {"trace", required_argument, nullptr, 't'},
      {"unmap-before-close", no_argument, nullptr, 'u'},  {"no-unnamed-files", no_argument, nullptr, 'm'},
      {"wait-for-room", no_argument, nullptr, 'w'},       {nullptr, 0, nullptr, 0}};
  Options options;
  for (int chosen = 0; (chosen = getopt_long(argc, argv, "", kOptions, nullptr)) != -1;) {
    switch (chosen) {
      case 'o': options.operations = number(optarg); break;
      case 'p': options.processes = number(optarg); break;
      case 's': options.seed = number(optarg); break;
      case 'n': options.only = static_cast<int64_t>(number(optarg)); break;
      case 'f': options.shared_files = number(optarg); break;
      case 'd': options.disturb = optarg; break;
      case 'e': options.disturb_every_ms = number(optarg); break;
      case 't': options.trace = optarg; break;
      case 'u': options.unmap_before_close = true; break;
      case 'm': options.no_unnamed_files = true; break;
      case 'w': options.wait_for_room = true; break;
      default: refuse("this is no option:", argv[optind - 1]);
    }
  }
  if (argc - optind != 2) refuse("two directories are needed; this is not clear:", argc > optind ? argv[optind] : "");
  if (options.processes == 0) refuse("at least one process is needed, not", "0");
  options.weir = argv[optind];
  options.plain = argv[optind + 1];
  return options;
}

}  // namespace weir::exerciser
