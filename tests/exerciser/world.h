#pragma once

#include <sys/stat.h>

#include <array>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "content.h"
#include "dice.h"
#include "history.h"
#include "outcome.h"

namespace weir::exerciser {

// Files on which all processes work.
struct SharedFile {
  std::string name;
  std::shared_ptr<Content> content;
};

struct WorldOptions {
  std::array<std::string, 2> tops;
  uint64_t seed = 1;
  uint64_t process = 0;
  std::vector<SharedFile> shared;
  std::FILE* trace = nullptr;
  // What is mapped through a descriptor is unmapped before that is closed.
  bool unmap_before_close = false;
  bool no_unnamed_files = false;
  // The mount's disk is full now and then: what is refused for that is done again until there is room.
  bool wait_for_room = false;
};

// What one process does: random operations on its own directory of the mount and of the plain disk, and on the files
// that it shares with others. Each result is compared with the other side's and with the model. What the model knows is
// content; whether an operation must succeed is what the plain disk says.
class World {
 public:
  explicit World(WorldOptions options);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  void step();
  // Closes all, then compares both trees, names, attributes and bytes.
  void finish();
  uint64_t operations() const { return history_.count(); }
  // How often there was no room.
  uint64_t refused() const { return refused_; }

 private:
  struct Handle {
    std::array<int, 2> fds;
    int flags;
    std::shared_ptr<Content> content;
    std::string name;

    bool readable() const;
    bool writable() const;
    bool direct() const;
    bool append() const;
  };
  struct Mapping {
    std::array<char*, 2> at;
    uint64_t offset;
    uint64_t length;
    bool shared;
    bool writable;
    std::shared_ptr<Content> content;
    int weir_fd;
  };
  struct Known {
    std::shared_ptr<Content> content;
    uint64_t weir_inode;
  };
  struct Range {
    uint64_t offset;
    uint64_t length;
  };
  using Operation = void (World::*)();

  // The frame: world.cc.
  [[noreturn]] void differ(const std::string& what);
  void begin(std::string operation) { history_.begin(std::move(operation)); }
  void end(const Pair& pair);
  void expect(bool holds, const std::string& what);
  // Ends the operation; its results must be equal.
  void compare(const Pair& pair);
  // A call that is refused has done nothing, so it can be made again.
  template <class Call>
  Outcome when_there_is_room(Call call) {
    Outcome outcome = call();
    for (int tries = 0; options_.wait_for_room && outcome.error == ENOSPC && tries < kRoomTries; ++tries) {
      pause_until_there_may_be_room();
      outcome = call();
    }
    return outcome;
  }
  void pause_until_there_may_be_room();
  template <class Call>
  Pair both(Call call) {
    const Outcome on_weir = when_there_is_room([&] { return Outcome::of(call(kWeir)); });
    return {on_weir, Outcome::of(call(kPlain))};
  }

  // Names and places: choices.cc.
  std::string random_name();
  std::string random_file_name();
  std::string path(int side, const std::string& name) const { return bases_[static_cast<size_t>(side)] + "/" + name; }
  uint64_t random_offset(const Content& content);
  uint64_t random_length();
  Range random_range(const Content& content, bool aligned);
  Handle* random_handle();
  Mapping* random_mapping();
  std::string describe(const Handle& handle) const;

  // Inodes: inodes.cc.
  Known* known_at(const std::string& name, bool follow);
  void remember(int plain_fd, int weir_fd, std::shared_ptr<Content> content);
  void forget_if_last(const struct stat& plain);
  void compare_status(const struct stat& weir, const struct stat& plain, const Content* content);

  // Opening and closing: open_operations.cc.
  void open_file();
  void open_shared_file();
  void open_temporary();
  void finish_open(const Pair& pair, int flags, const std::string& name, bool existed);
  void add_handle(const Pair& fds, int flags, std::shared_ptr<Content> content, const std::string& name);
  void close_handle();
  void close(size_t index);
  void duplicate_and_close();
  void link_temporary();

  // Bytes: byte_operations.cc, space_operations.cc.
  void read_bytes();
  void write_bytes();
  void truncate_handle();
  void truncate_path();
  void allocate();
  void seek_hole_or_data();
  void copy_range();
  void sync_handle();
  void status_of_handle();
  void write_at(Handle& handle, uint64_t offset, uint64_t length, int kind);
  void compare_read(Handle& handle, uint64_t offset, uint64_t length, int kind);
  void compare_seek(const Content& content, uint64_t offset, bool hole, const Pair& pair);

  // Mappings: mapping_operations.cc.
  void map();
  void read_mapping();
  void store_to_mapping();
  void sync_mapping();
  void unmap_one();
  void unmap(size_t index);
  void unmap_all_of(int weir_fd);

  // Names: name_operations.cc.
  void make_directory();
  void remove_directory();
  void unlink_name();
  void rename_name();
  void link_name();
  void make_symlink();
  void read_symlink();
  void list_directory();

  // Attributes: attribute_operations.cc.
  void status_of_name();
  void change_mode();
  void change_owner();
  void change_times();
  void set_attribute();
  void get_attribute();
  void list_attributes();
  void remove_attribute();

  // At the end: finish.cc.
  void compare_directory(const std::string& name);
  void compare_entry(const std::string& name);
  void compare_bytes(const std::string& name, const Content& content);

  static constexpr uint64_t kRequestBytesMax = 512 << 10;
  static constexpr uint64_t kPage = 4096;
  static constexpr int kRoomTries = 6000;  // 10 ms each
  static constexpr size_t kHandlesMax = 12;
  static constexpr size_t kMappingsMax = 6;

  const WorldOptions options_;
  Dice dice_;
  History history_;
  uint64_t refused_ = 0;
  std::array<std::string, 2> bases_;
  std::vector<Handle> handles_;
  std::vector<Mapping> mappings_;
  // By the plain side's inode.
  std::unordered_map<uint64_t, Known> known_;
  // Aligned for O_DIRECT, kRequestBytesMax each.
  std::array<char*, 2> read_buffers_{};
  char* write_buffer_ = nullptr;
};

}  // namespace weir::exerciser
