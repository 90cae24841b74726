#include "bench/place/floor_place.h"

#include <sys/stat.h>

#include "base/clock.h"
#include "base/io.h"
#include "bench/place/command.h"

namespace weir::bench {

namespace {

constexpr int kWaits = 500;
constexpr int64_t kWaitMs = 20;

/// A directory is a mount point when it lies on another device than the one above it.
bool is_mounted(const std::string& directory) {
  struct stat own {};
  struct stat above {};
  return ::stat(directory.c_str(), &own) == 0 && ::stat((directory + "/..").c_str(), &above) == 0 &&
         own.st_dev != above.st_dev;
}

}  // namespace

FloorPlace::FloorPlace(const std::string& directory, pid_t server)
    : Place(PlaceKind::kFloor, "floor", directory), server_(server) {}

Result<std::unique_ptr<FloorPlace>> FloorPlace::mount(const std::string& program, const std::string& directory) {
  TRY(io::make_directories(directory, 0755));
  ASSIGN_OR_RETURN(const pid_t server, start({program, directory}));
  SystemClock clock;
  for (int wait = 0; wait < kWaits; ++wait) {
    if (is_mounted(directory)) return std::unique_ptr<FloorPlace>(new FloorPlace(directory, server));
    clock.sleep_ms(kWaitMs);
  }
  stop(server);
  return error(Code::kTimeout, "{} did not mount {}", program, directory);
}

FloorPlace::~FloorPlace() { stop(server_); }

}  // namespace weir::bench
