#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "bus_guard.h"
#include "options.h"
#include "world.h"

// Random operations on a mount and on a plain directory beside it; README.md has the why and how.
namespace weir::exerciser {
namespace {

int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::vector<SharedFile> make_shared_files(const Options& options) {
  std::vector<SharedFile> files;
  for (uint64_t number = 0; number < options.shared_files; ++number) {
    const std::string name = "shared" + std::to_string(number);
    files.push_back({name, std::make_shared<Content>(number == 0 ? kBigFileBytes : kSmallFileBytes, true)});
    for (const std::string& top : {options.weir, options.plain}) {
      const int fd = open((top + "/" + name).c_str(), O_RDWR | O_CREAT | O_EXCL, 0644);
      if (fd < 0) {
        std::perror(("exerciser: cannot make " + name + " in " + top).c_str());
        std::exit(2);
      }
      close(fd);
    }
  }
  return files;
}

int run_process(const Options& options, const std::vector<SharedFile>& shared, uint64_t number) {
  std::FILE* trace = nullptr;
  if (!options.trace.empty()) trace = std::fopen((options.trace + "." + std::to_string(number)).c_str(), "w");
  umask(022);
  catch_bus_errors();
  World world({{options.weir, options.plain},
               options.seed,
               number,
               shared,
               trace,
               options.unmap_before_close,
               options.no_unnamed_files,
               options.wait_for_room});
  const uint64_t share = options.operations / options.processes;
  const int64_t began_ms = now_ms();
  while (world.operations() < share) world.step();
  const int64_t took_ms = now_ms() - began_ms;
  world.finish();
  std::printf("process %lu: %lu operations in %.1f s, all the same\n", number, world.operations(),
              static_cast<double>(took_ms) / 1000);
  if (options.wait_for_room) std::printf("process %lu: there was no room %lu times\n", number, world.refused());
  if (trace != nullptr) std::fclose(trace);
  return 0;
}

// Runs the command now and then until all processes have ended. Returns 0 if all of them ended well.
int wait_for(std::vector<pid_t> processes, const Options& options) {
  int status = 0;
  int64_t disturb_at_ms = now_ms() + static_cast<int64_t>(options.disturb_every_ms);
  while (!processes.empty()) {
    int ended = 0;
    const pid_t process = waitpid(-1, &ended, WNOHANG);
    if (process > 0) {
      std::erase(processes, process);
      if (ended != 0) {
        status = 1;
        for (const pid_t other : processes) kill(other, SIGKILL);
      }
      continue;
    }
    if (!options.disturb.empty() && now_ms() >= disturb_at_ms) {
      if (std::system(options.disturb.c_str()) != 0) std::fprintf(stderr, "exerciser: the command failed\n");
      disturb_at_ms = now_ms() + static_cast<int64_t>(options.disturb_every_ms);
    }
    usleep(20'000);
  }
  return status;
}

int run(const Options& options) {
  std::printf("exerciser: seed %lu, %lu processes, %lu operations\n", options.seed, options.processes,
              options.operations);
  std::fflush(stdout);
  const std::vector<SharedFile> shared = make_shared_files(options);
  std::vector<pid_t> processes;
  for (uint64_t number = 0; number < options.processes; ++number) {
    if (options.only >= 0 && number != static_cast<uint64_t>(options.only)) continue;
    const pid_t process = fork();
    if (process == 0) {
      const int status = run_process(options, shared, number);
      std::fflush(nullptr);
      _exit(status);
    }
    processes.push_back(process);
  }
  const int status = wait_for(std::move(processes), options);
  if (status != 0) std::fprintf(stderr, "exerciser: FAILED; again with --seed %lu\n", options.seed);
  return status;
}

}  // namespace
}  // namespace weir::exerciser

int main(int argc, char** argv) {
  weir::exerciser::Options options = weir::exerciser::read_options(argc, argv);
  if (options.seed == 0) options.seed = static_cast<uint64_t>(weir::exerciser::now_ms()) % 1'000'000'007 + 1;
  return weir::exerciser::run(options);
}
