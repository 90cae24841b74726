#include "meta/volume.h"

#include "base/siphash.h"
#include "meta/id_allocator.h"
#include "meta/keys.h"
#include "meta/rows.h"
#include "meta/run_transaction.h"
#include "meta/slot_pool.h"

namespace weir::meta {

namespace {

Inode root_directory(uint32_t uid, uint32_t gid, int64_t now_ns) {
  Inode root;
  root.id = kRootInode;
  root.type = FileType::kDirectory;
  root.mode = 0755;
  root.uid = uid;
  root.gid = gid;
  root.link_count = 2;
  root.atime_ns = root.mtime_ns = root.ctime_ns = root.btime_ns = now_ns;
  root.parent = kRootInode;
  return root;
}

/// Nothing when the database holds no volume.
Result<std::optional<kv::Value>> read_settings_row(kv::Engine& engine) { return engine.begin()->get(keys::settings()); }

}  // namespace

Status Volume::format(kv::Engine& engine, const VolumeSettings& settings, uint32_t root_uid, uint32_t root_gid,
                      Clock& clock) {
  SystemRandom random;
  const Bytes row = settings.encode();
  TRY(run_repeatable(engine, clock, random, [&](kv::Transaction& transaction) -> Status {
    ASSIGN_OR_RETURN(auto present, transaction.get(keys::settings()));
    if (present && present->bytes == row) return {};  // an attempt before this one, whose reply was lost
    if (present) return error(Code::kExists, "{} holds a volume already", engine.name());
    transaction.put(keys::settings(), row);
    transaction.put(keys::inode(kRootInode), root_directory(root_uid, root_gid, clock.realtime_ns()).encode());
    transaction.put(keys::counter(keys::CounterKind::kInode), CounterRow{kRootInode.value + 1}.encode());
    transaction.put(keys::counter(keys::CounterKind::kPage), CounterRow{1}.encode());
    transaction.put(keys::counter(keys::CounterKind::kSerial), CounterRow{1}.encode());
    return {};
  }));
  return {};
}

Result<std::unique_ptr<Volume>> Volume::open(kv::Engine& engine, NodeId node, Clock& clock, Random& random) {
  ASSIGN_OR_RETURN(auto row, read_settings_row(engine));
  if (!row) return error(Code::kNotFound, "{} holds no volume; make one with weir format", engine.name());
  ASSIGN_OR_RETURN(VolumeSettings settings, VolumeSettings::decode(row->bytes));
  if (settings.oldest_reader > kVolumeFormat || settings.oldest_writer > kVolumeFormat)
    return error(Code::kUnsupported, "{} holds a volume of format {}, this program knows formats up to {}",
                 engine.name(), std::max(settings.oldest_reader, settings.oldest_writer), kVolumeFormat);

  std::unique_ptr<Volume> volume(new Volume(engine, std::move(settings), node, clock, random));
  volume->settings_version_ = row->version;
  ASSIGN_OR_RETURN(volume->slots_, SlotPool::open(*volume));
  ASSIGN_OR_RETURN(volume->first_publish_, volume->new_serial());
  return volume;
}

Volume::Volume(kv::Engine& engine, VolumeSettings settings, NodeId node, Clock& clock, Random& random)
    : engine_(engine),
      settings_(std::move(settings)),
      node_(node),
      clock_(clock),
      random_(random),
      ids_(std::make_unique<IdAllocator>(*this)) {}

Volume::~Volume() = default;

Status Volume::settings_changed(const std::optional<kv::Value>& row) {
  if (!row) return error(Code::kCorrupt, "the settings of the volume in {} are gone", engine_.name());
  if (row->version == settings_version()) return {};
  ASSIGN_OR_RETURN(VolumeSettings now, VolumeSettings::decode(row->bytes));
  if (now.oldest_reader > kVolumeFormat || now.oldest_writer > kVolumeFormat)
    return error(Code::kUnsupported, "the volume in {} was upgraded to format {}, this program knows formats up to {}",
                 engine_.name(), std::max(now.oldest_reader, now.oldest_writer), kVolumeFormat);
  settings_version_.store(row->version, std::memory_order_release);
  return {};
}

Membership Volume::membership() const {
  MutexLock lock(membership_mutex_);
  return membership_;
}

void Volume::join(Membership membership) {
  MutexLock lock(membership_mutex_);
  membership_ = membership;
}

Status Volume::membership_changed(const std::optional<kv::Value>& row) {
  const Membership known = membership();
  if (known.version == 0 || (row && row->version == known.version)) return {};
  if (!rejoin_) return error(Code::kFenced, "node {} was taken over by another process", node_.value);
  return rejoin_();
}

Result<InodeId> Volume::new_inode_id() {
  ASSIGN_OR_RETURN(uint64_t id, ids_->next(keys::CounterKind::kInode));
  return InodeId{id};
}

Result<PageId> Volume::new_page_id() {
  ASSIGN_OR_RETURN(uint64_t id, ids_->next(keys::CounterKind::kPage));
  return PageId{id};
}

Result<uint64_t> Volume::new_serial() { return ids_->next(keys::CounterKind::kSerial); }

uint64_t Volume::name_hash(std::string_view name) const {
  uint64_t hash = siphash(name, {settings_.name_hash_key[0], settings_.name_hash_key[1]}) & name_hash_mask_;
  // Above the cookies of "." and "..", and with room below 2^63 for names moved on by collisions.
  return keys::kFirstCookie + (hash >> 1) % ((uint64_t{1} << 63) - (uint64_t{1} << 16));
}

}  // namespace weir::meta
