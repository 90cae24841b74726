#include "model/node_info.h"

namespace weir {

namespace {

constexpr uint8_t kVersion = 1;

void check_version(Decoder& decoder) {
  if (decoder.u8() != kVersion) decoder.fail();
}

}  // namespace

Bytes NodeInfo::encode() const {
  Encoder encoder;
  encoder.u8(kVersion).u64(epoch).u8(active ? 1 : 0).sized(host).sized(mount_point).sized(cache_directory);
  encoder.sized(process.boot_id).u64(process.pid_namespace).i64(process.pid).u64(process.started);
  return std::move(encoder).take();
}

Result<NodeInfo> NodeInfo::decode(std::string_view bytes) {
  Decoder decoder(bytes);
  check_version(decoder);
  NodeInfo info;
  info.epoch = decoder.u64();
  uint8_t active = decoder.u8();
  if (active > 1) decoder.fail();
  info.active = active != 0;
  info.host = std::string(decoder.sized());
  info.mount_point = std::string(decoder.sized());
  info.cache_directory = std::string(decoder.sized());
  info.process.boot_id = std::string(decoder.sized());
  info.process.pid_namespace = decoder.u64();
  info.process.pid = decoder.i64();
  info.process.started = decoder.u64();
  TRY(decoder.finish("node"));
  return info;
}

Bytes LeaseRow::encode() const { return std::move(Encoder().u8(kVersion).u64(epoch).u64(renewals)).take(); }

Result<LeaseRow> LeaseRow::decode(std::string_view bytes) {
  Decoder decoder(bytes);
  check_version(decoder);
  LeaseRow row;
  row.epoch = decoder.u64();
  row.renewals = decoder.u64();
  TRY(decoder.finish("node lease"));
  return row;
}

}  // namespace weir
