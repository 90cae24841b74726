#include "world.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace weir::exerciser {
namespace {

char* aligned_memory(size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    std::perror("exerciser: no memory for a buffer");
    std::exit(2);
  }
  return static_cast<char*>(memory);
}

}  // namespace

World::World(WorldOptions options)
    : options_(std::move(options)), dice_(options_.seed * 1000003 + options_.process), history_(options_.trace) {
  for (const int side : {kWeir, kPlain}) {
    // One directory deeper than needed, so that a symlink to `..` stays in what is this process's own.
    std::string& base = bases_[static_cast<size_t>(side)];
    base = options_.tops[static_cast<size_t>(side)] + "/p" + std::to_string(options_.process);
    for (const char* below : {"", "/own"}) {
      base += below;
      if (mkdir(base.c_str(), 0755) != 0) differ("mkdir " + base + " fails: " + Outcome::of(-1).text());
    }
    read_buffers_[static_cast<size_t>(side)] = aligned_memory(kRequestBytesMax);
  }
  write_buffer_ = aligned_memory(kRequestBytesMax);
}

World::~World() {
  for (char* buffer : {read_buffers_[0], read_buffers_[1], write_buffer_}) munmap(buffer, kRequestBytesMax);
}

void World::step() {
  struct Choice {
    uint64_t weight;
    Operation operation;
  };
  static constexpr Choice kChoices[] = {
      {60, &World::open_file},          {12, &World::open_shared_file},
      {4, &World::open_temporary},      {50, &World::close_handle},
      {6, &World::duplicate_and_close}, {4, &World::link_temporary},
      {110, &World::read_bytes},        {120, &World::write_bytes},
      {16, &World::truncate_handle},    {10, &World::truncate_path},
      {24, &World::allocate},           {24, &World::seek_hole_or_data},
      {16, &World::copy_range},         {10, &World::sync_handle},
      {24, &World::status_of_handle},   {20, &World::map},
      {40, &World::read_mapping},       {40, &World::store_to_mapping},
      {10, &World::sync_mapping},       {16, &World::unmap_one},
      {12, &World::make_directory},     {6, &World::remove_directory},
      {16, &World::unlink_name},        {24, &World::rename_name},
      {12, &World::link_name},          {8, &World::make_symlink},
      {6, &World::read_symlink},        {12, &World::list_directory},
      {30, &World::status_of_name},     {8, &World::change_mode},
      {4, &World::change_owner},        {10, &World::change_times},
      {10, &World::set_attribute},      {8, &World::get_attribute},
      {6, &World::list_attributes},     {5, &World::remove_attribute},
  };
  static constexpr uint64_t kTotal = [] {
    uint64_t total = 0;
    for (const Choice& choice : kChoices) total += choice.weight;
    return total;
  }();
  uint64_t roll = dice_.below(kTotal);
  for (const Choice& choice : kChoices) {
    if (roll < choice.weight) return (this->*choice.operation)();
    roll -= choice.weight;
  }
}

void World::differ(const std::string& what) {
  std::fprintf(stderr, "--- process %lu of seed %lu, its last operations:\n", options_.process, options_.seed);
  history_.print(stderr);
  std::fprintf(stderr, "--- DIFFERENT: %s\n", what.c_str());
  if (options_.trace != nullptr) std::fflush(options_.trace);
  _exit(1);
}

void World::expect(bool holds, const std::string& what) {
  if (!holds) differ(what);
}

void World::pause_until_there_may_be_room() {
  ++refused_;
  usleep(10'000);
}

void World::end(const Pair& pair) { history_.end(pair.weir.text()); }

void World::compare(const Pair& pair) {
  end(pair);
  expect(pair.same(), "Weir returns " + pair.weir.text() + ", the plain disk " + pair.plain.text());
}

}  // namespace weir::exerciser
