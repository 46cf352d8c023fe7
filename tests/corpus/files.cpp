// SPDX-License-Identifier: Apache-2.0
// Files that no NIfTI files are.
#include "corpus.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace corpus {

void add_files(list& all) {
  const std::vector<std::string> check{"check", "DATA"};
  const auto with = [](const std::string& bytes) {
    return [bytes](const fs::path& here) { put(place(here, first_image), bytes); };
  };
  const auto cut = [](double share, long less) {
    return [=](const fs::path& here) {
      const auto file = place(here, first_image);
      fs::resize_file(file, static_cast<std::uintmax_t>(share * static_cast<double>(fs::file_size(file)) - less));
    };
  };
  all.kind("gzip stream cut short", check)
      .add("empty", {"a_0000.nii.gz: is empty; copy or download it again"}, with(""))
      .add("two bytes", {"only 2 bytes long"}, with("\x1f\x8b"))
      .add("ten bytes", {"only 10 bytes long"}, with(std::string("\x1f\x8b\x08\0\0\0\0\0\0\x03", 10)))
      .add("a tenth", {"it ends early"}, cut(0.1, 0))
      .add("half", {"it ends early"}, cut(0.5, 0))
      .add("without check sum", {"it ends early"}, cut(1, 8))
      .add("without its last byte", {"it ends early"}, cut(1, 1));

  const auto shorter = [](std::size_t left) {
    return [=](const fs::path& here) {
      const auto file = place(here, first_image);
      auto bytes = comodal::gunzip(comodal::read_file(file), "x");
      bytes.resize(left);
      comodal::write_file(file, comodal::gzip(bytes));
    };
  };
  all.kind("voxels missing", check)
      .add("all", {"truncated, 0 bytes of voxels, expected 20 x 18 x 12 voxels"}, shorter(352))
      .add("all but one", {"truncated, 4 bytes of voxels"}, shorter(356))
      .add("half", {"truncated, 8640 bytes of voxels"}, shorter(352 + 8640))
      .add("one", {"truncated"}, shorter(352 + 20 * 18 * 12 * 4 - 4))
      .add("a byte", {"truncated"}, shorter(352 + 20 * 18 * 12 * 4 - 1))
      .add("half of the header", {"truncated, 200 bytes are less than a NIfTI header"}, shorter(200));

  const auto flipped = [](double share) {
    return [=](const fs::path& here) {
      change(place(here, first_image),
             [&](byte_buffer& b) { b[static_cast<std::size_t>(share * static_cast<double>(b.size() - 1))] ^= 0x55; });
    };
  };
  all.kind("damaged bytes of a gzip stream", check);
  for (const double share : {0.2, 0.35, 0.5, 0.65, 0.8, 0.95, 1.0})
    all.add(comodal::text(share), {"a_0000.nii.gz: damaged gzip file, ", "; copy or download it again"},
            flipped(share));

  const auto followed = [](const std::string& by) {
    return [=](const fs::path& here) {
      change(place(here, first_image), [&](byte_buffer& b) { b.insert(b.end(), by.begin(), by.end()); });
    };
  };
  all.kind("bytes behind a gzip stream", check)
      .add("line feeds", {"2 foreign bytes follow the stream"}, followed("\r\n"))
      .add("one", {"1 foreign bytes follow the stream"}, followed("\xff"))
      .add("words", {"foreign bytes follow the stream"}, followed("garbage"))
      .add("a page", {"foreign bytes follow the stream"}, followed("<html></html>"))
      .add("half a stream", {"it ends early"}, followed(std::string("\x1f\x8b\x08\0\0\0\0\0\0\x03", 10)))
      .add("zeros, as of a tape", {"0 errors"}, followed(std::string(512, '\0')))
      .ends(0);

  all.kind("pages and texts", check)
      .add("page", {"is a web page, not a gzip file (a failed download?)"}, with("<!DOCTYPE html><html></html>"))
      .add("page behind lines", {"is a web page"}, with("\n\n  <html>404</html>"))
      .add("xml", {"is a web page"}, with("<?xml version=\"1.0\"?><Error/>"))
      .add("text", {"is named .gz but is not gzip-compressed; it is damaged"}, with("Access denied. Please log in.\n"))
      .add("csv", {"is named .gz but is not gzip-compressed"}, with("case,label\na,1\n"))
      .add("packed page", {"is a web page, not a NIfTI file"}, [](const fs::path& here) {
        comodal::write_file(place(here, first_image), comodal::gzip(bytes_of("<html>404</html>, and so on")));
      });

  const std::string filling(600, '\0');
  all.kind("other image and archive formats", check)
      .add("nrrd", {"is an NRRD file; convert it to NIfTI"}, with("NRRD0004\n" + filling))
      .add("zstd", {"is compressed with zstd"}, with("\x28\xb5\x2f\xfd" + filling))
      .add("zip", {"is a zip archive; unpack it"}, with("PK\x03\x04" + filling))
      .add("bzip2", {"is compressed with bzip2"}, with("BZh91AY" + filling))
      .add("xz", {"is compressed with xz"},
           with("\xfd"
                "7zXZ" +
                filling))
      .add("metaimage", {"is a MetaImage file"}, with("ObjectType = Image\nNDims = 3\n"))
      .add("hdf5", {"is a MINC or HDF5 file"}, with("\x89HDF\r\n" + filling))
      .add("dicom", {"is a DICOM file; convert the series to NIfTI"}, with(std::string(128, '\0') + "DICM" + filling))
      .add("unpacked", {"it is an uncompressed NIfTI file; rename it to .nii or compress it"},
           [](const fs::path& here) {
             const auto file = place(here, first_image);
             comodal::write_file(file, comodal::gunzip(comodal::read_file(file), "x"));
           })
      .add("packed twice", {"is gzip-compressed more than once; unpack it until it is a .nii"},
           [](const fs::path& here) {
             const auto file = place(here, first_image);
             comodal::write_file(file, comodal::gzip(comodal::read_file(file)));
           })
      .add("packed three times", {"is gzip-compressed more than once"}, [](const fs::path& here) {
        const auto file = place(here, first_image);
        comodal::write_file(file, comodal::gzip(comodal::gzip(comodal::read_file(file))));
      });

  const auto longer = [&](std::size_t count) {
    return [=](const fs::path& here) {
      auto bytes = comodal::gunzip(comodal::read_file(place(here, first_image)), "x");
      bytes.resize(bytes.size() + count);
      comodal::write_file(place(here, first_image), comodal::gzip(bytes));
    };
  };
  all.kind("more voxels than the header says", check);
  for (const std::size_t count : {1440, 2000, 5000, 17280, 50000000})
    all.add(std::to_string(count),
            {"damaged header, it describes 20 x 18 x 12 voxels of 4 bytes, and the file has more"}, longer(count));
  all.add("a row", {"0 errors"}, longer(80)).ends(0);

  all.kind("pointers of version control", check)
      .add("lfs", {"is a pointer of Git LFS, not the file itself; fetch it (git lfs pull)"},
           with("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"))
      .add("lfs with carriage returns", {"is a pointer of Git LFS"},
           with("version https://git-lfs.github.com/spec/v1\r\noid sha256:4d7a\r\nsize 12345\r\n"))
      .add("annex", {"is a pointer of git-annex, not the file itself"}, with("/annex/objects/MD5E-s1--a.nii.gz\n"))
      .add("annex, relative", {"is a pointer of git-annex"}, with("../.git/annex/objects/W/1/MD5E-s1--a.nii.gz"))
      .add("annex link", {"is a link to ../.git/annex/objects/x, which does not exist; fetch its content"},
           [](const fs::path& here) {
             fs::remove(place(here, first_image));
             fs::create_symlink("../.git/annex/objects/x", place(here, first_image));
           })
      .add("link to another machine's place", {"is a link to /mnt/nowhere/a.nii.gz, which does not exist"},
           [](const fs::path& here) {
             fs::remove(place(here, first_image));
             fs::create_symlink("/mnt/nowhere/a.nii.gz", place(here, first_image));
           });

  const auto instead = [](const std::function<void(const fs::path&)>& make) {
    return [=](const fs::path& here) {
      fs::remove(place(here, first_image));
      make(place(here, first_image));
    };
  };
  all.kind("no files at all", check)
      .add("pipe", {"is a pipe, a socket or a device, expected a file"},
           instead([](const fs::path& f) { (void)::mkfifo(f.c_str(), 0600); }))
      .add("folder", {"is a folder, expected a file"}, instead([](const fs::path& f) { fs::create_directory(f); }))
      .add("folder with the file", {"is a folder, expected a file"},
           instead([](const fs::path& f) { put(f / "a_0000.nii", "x"); }))
      .add("device", {"is a pipe, a socket or a device"},
           instead([](const fs::path& f) { fs::create_symlink("/dev/zero", f); }))
      .add("link to itself", {"a_0000.nii.gz: cannot be opened"},
           instead([](const fs::path& f) { fs::create_symlink("a_0000.nii.gz", f); }))
      .add("socket", {"is a pipe, a socket or a device"}, instead([](const fs::path& f) {
             const int s = ::socket(AF_UNIX, SOCK_STREAM, 0);
             sockaddr_un address{};
             address.sun_family = AF_UNIX;
             const auto back = fs::current_path();
             fs::current_path(f.parent_path());  // the name of a socket is short
             std::strncpy(address.sun_path, f.filename().c_str(), sizeof address.sun_path - 1);
             (void)::bind(s, reinterpret_cast<const sockaddr*>(&address), sizeof address);
             fs::current_path(back);
             ::close(s);
           }));
}

}  // namespace corpus
