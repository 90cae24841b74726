#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/io.h"
#include "bench/measure/content.h"
#include "bench/measure/groups.h"
#include "bench/measure/stopwatch.h"

namespace weir::bench {

namespace {

constexpr int kFilesInDirectory = 1000;
constexpr int kSettleMs = 6'000;  // longer than the pause between two barriers

Result<pid_t> server_of(const Place& place) {
  const auto server = place.server();
  if (!server) return error(Code::kNotFound, "{} is not served by a process of this run", place.directory());
  return *server;
}

/// Seconds of CPU that a process has used.
Result<double> cpu_seconds(pid_t process) {
  std::ifstream file(fmt::format("/proc/{}/stat", process));
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const size_t behind_name = text.rfind(')');
  if (behind_name == std::string::npos) return error(Code::kNotFound, "there is no process {}", process);
  std::istringstream fields(text.substr(behind_name + 2));
  std::string skipped;
  for (int field = 0; field < 11; ++field) fields >> skipped;
  double user_ticks = 0;
  double system_ticks = 0;
  fields >> user_ticks >> system_ticks;
  return (user_ticks + system_ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

Result<double> resident_mebibytes(pid_t process) {
  std::ifstream file(fmt::format("/proc/{}/status", process));
  for (std::string line; std::getline(file, line);) {
    double kibibytes = 0;
    if (line.starts_with("VmRSS:") && std::istringstream(line.substr(6)) >> kibibytes) return kibibytes / 1024;
  }
  return error(Code::kNotFound, "there is no process {}", process);
}

Measurement of_server(const std::string& name, const std::string& unit, double bound) {
  Measurement made;
  made.name = name;
  made.unit = unit;
  made.better = Better::kLess;
  made.targets = {{Target::Of::kNothing, bound}};
  made.places = {PlaceKind::kWeir};
  made.rounds_max = 1;
  return made;
}

Measurement idle(int64_t idle_ms) {
  Measurement made = of_server("CPU of an idle mount", "%", 0.5);
  made.places = {PlaceKind::kWeir, PlaceKind::kFloor};
  made.run = [idle_ms](Place& place) -> Result<double> {
    TRY(place.settle());
    SystemClock clock;
    clock.sleep_ms(kSettleMs);
    ASSIGN_OR_RETURN(const pid_t server, server_of(place));
    ASSIGN_OR_RETURN(const double before, cpu_seconds(server));
    const Stopwatch watch;
    clock.sleep_ms(idle_ms);
    ASSIGN_OR_RETURN(const double after, cpu_seconds(server));
    return (after - before) / watch.seconds() * 100;
  };
  return made;
}

Measurement many_files(int files) {
  Measurement made = of_server(fmt::format("memory of the daemon after {} files", files), "MiB", 200);
  made.run = [files](Place& place) -> Result<double> {
    for (int index = 0; index < files; ++index) {
      const std::string directory = place.file(fmt::format("many/{:04}", index / kFilesInDirectory));
      if (index % kFilesInDirectory == 0) TRY(io::make_directories(directory, 0755));
      ASSIGN_OR_RETURN(FileDescriptor fd,
                       io::open_file(fmt::format("{}/{}", directory, index), O_WRONLY | O_CREAT, 0644));
      TRY(close_file(std::move(fd)));
    }
    ASSIGN_OR_RETURN(const pid_t server, server_of(place));
    return resident_mebibytes(server);
  };
  return made;
}

Measurement big_file(uint64_t bytes) {
  Measurement made = of_server(fmt::format("memory of the daemon while {} GiB are read", bytes >> 30), "MiB", 200);
  made.run = [bytes](Place& place) -> Result<double> {
    const std::string path = place.file("big.bin");
    if (std::filesystem::space(place.directory()).available < 2 * bytes + (bytes >> 2))
      return error(Code::kNoSpace, "the disk has no room for {} bytes in cache and store", bytes);
    TRY(make_file(path, bytes));
    ASSIGN_OR_RETURN(const pid_t server, server_of(place));
    ASSIGN_OR_RETURN(const FileDescriptor fd, io::open_file(path, O_RDONLY));
    std::vector<char> buffer(kWriteBytes);
    double most = 0;
    for (uint64_t at = 0; at < bytes; at += buffer.size()) {
      TRY(io::read_at(fd.get(), buffer.data(), buffer.size(), at));
      if (at % (uint64_t{256} << 20) != 0) continue;
      ASSIGN_OR_RETURN(const double now, resident_mebibytes(server));
      most = std::max(most, now);
    }
    TRY(remove_path(path));
    return most;
  };
  return made;
}

}  // namespace

Group idle_group(const Sizes& sizes) {
  Group group;
  group.name = "idle";
  group.summary = "the daemon at rest";
  group.measurements = {idle(sizes.idle_ms)};
  return group;
}

Group memory_group(const Sizes& sizes) {
  Group group;
  group.name = "memory";
  group.summary = "the daemon's resident memory after many files, and while a big file is read";
  group.on_request = true;
  group.measurements = {many_files(sizes.many_files), big_file(sizes.big_bytes)};
  return group;
}

}  // namespace weir::bench
