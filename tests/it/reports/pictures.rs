//! What pages look like: pictures that a browser takes of them, beside golden ones.
//!
//! `tests/pages/` has a file of results of each kind and, of the page that is drawn of it, pictures at two widths: in light
//! colours and, of one, in dark ones. They are an eighth as wide and high as what the browser paints, so how it smooths
//! letters is not seen; what moved or is missing is. Text is set in the font of the plots, which is the same everywhere.
//! `SPIQ_UPDATE_PICTURES=1 cargo test pictures` writes the golden pictures anew, and the version of Chromium that painted
//! them: only that one is asked whether pages look as they did.

use std::fs;
use std::path::{Path, PathBuf};

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{Rgb, RgbImage};
use tempfile::TempDir;

use super::browser::{major_version, open};
use super::repository;
use spiq::report::html_page;

/// The font that pictures of pages are set in, and its name there.
const FONT: &[u8] = include_bytes!("../../../src/report/plots/fonts/DejaVuSans.ttf");

/// Widths that pages are opened at, side by side.
const WIDTHS: [u32; 2] = [1280, 390];
/// No page is higher.
const HEIGHT: u32 = 12_000;
/// Pixels of the browser, along each side, that are one of a picture.
const SHRUNK: u32 = 8;
/// Shades that are told apart: the lower bits of a colour make files large.
const STEP: u8 = 16;

/// Levels, of 256, that a pixel may differ by.
const LEVELS: u8 = 40;
/// Side of the squares that a picture is compared in, and how many of its pixels may differ by more.
const SQUARE: u32 = 16;
const MAY_DIFFER: usize = 5;

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// `bytes` as base64.
fn base64(bytes: &[u8]) -> String {
    let four = |three: &[u8]| {
        let word = (0..3).fold(0u32, |word, i| word << 8 | u32::from(three.get(i).copied().unwrap_or(0)));
        let letter = |i: usize| LETTERS[(word >> (18 - 6 * i)) as usize & 63] as char;
        (0..4).map(|i| if i <= three.len() { letter(i) } else { '=' }).collect::<String>()
    };
    bytes.chunks(3).map(four).collect()
}

/// `page` set in the font of this test, which the page's own policy would not let in.
fn with_font(page: &str) -> String {
    let face = format!("@font-face{{font-family:Same;src:url(data:font/ttf;base64,{})}}", base64(FONT));
    let style = format!("<style>{face}*{{font-family:Same!important}}</style></head>");
    let changed = page.replacen("default-src 'none'", "default-src 'none'; font-src data:", 1);
    assert_ne!(changed, page);
    changed.replacen("</head>", &style, 1)
}

/// What the browser paints of `page` at all widths; nothing without a browser.
fn painted(page: &str, dark: bool) -> Option<RgbImage> {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("page.html"), with_font(page)).unwrap();
    let frame = |width| {
        format!("<iframe src=\"page.html\" style=\"border:0;width:{width}px;height:{HEIGHT}px\"></iframe>")
    };
    let frames = format!(
        "<!doctype html><body style=\"margin:0;display:flex;background:#888\">{}",
        WIDTHS.map(frame).concat()
    );
    fs::write(at("frames.html"), frames).unwrap();
    let flags = [
        format!("--screenshot={}", at("painted.png").display()),
        format!("--window-size={},{HEIGHT}", WIDTHS.iter().sum::<u32>()),
        format!("--blink-settings=preferredColorScheme={}", u8::from(!dark)),
        "--hide-scrollbars".to_owned(),
        "--force-device-scale-factor=1".to_owned(),
        "--disable-lcd-text".to_owned(),
        "--font-render-hinting=none".to_owned(),
    ];
    open(&at("frames.html"), folder.path(), &flags)?;
    Some(image::open(at("painted.png")).unwrap().into_rgb8())
}

/// `picture`, of each square of pixels the mean, without what is empty below.
fn shrunk(picture: &RgbImage) -> RgbImage {
    let (width, height) = (picture.width() / SHRUNK, picture.height() / SHRUNK);
    let mean = |x: u32, y: u32| {
        let inside =
            (0..SHRUNK * SHRUNK).map(|i| picture.get_pixel(x * SHRUNK + i % SHRUNK, y * SHRUNK + i / SHRUNK));
        let sums = inside.fold([0u32; 3], |sums, pixel| [0, 1, 2].map(|c| sums[c] + u32::from(pixel[c])));
        Rgb(sums.map(|sum| (sum / (SHRUNK * SHRUNK)) as u8 / STEP * STEP + STEP / 2))
    };
    let small = RgbImage::from_fn(width, height, mean);
    let empty = |y: &u32| (0..width).all(|x| small.get_pixel(x, *y) == small.get_pixel(x, height - 1));
    let used = height - (0..height).rev().take_while(empty).count() as u32;
    image::imageops::crop_imm(&small, 0, 0, width, used).to_image()
}

/// The first square in which two pictures differ, in pixels of the browser.
fn difference(golden: &RgbImage, found: &RgbImage) -> Option<String> {
    let (width, height) = (golden.width().max(found.width()), golden.height().max(found.height()));
    let differs = |x: u32, y: u32| match (golden.get_pixel_checked(x, y), found.get_pixel_checked(x, y)) {
        (Some(a), Some(b)) => a.0.iter().zip(b.0).any(|(a, b)| a.abs_diff(b) > LEVELS),
        _ => true,
    };
    let squares = (0..height)
        .step_by(SQUARE as usize)
        .flat_map(|y| (0..width).step_by(SQUARE as usize).map(move |x| (x, y)));
    let count = |x: u32, y: u32| {
        let inside = (0..SQUARE * SQUARE).map(|i| (x + i % SQUARE, y + i / SQUARE));
        inside.filter(|&(x, y)| x < width && y < height && differs(x, y)).count()
    };
    let place = |(x, y): (u32, u32)| {
        let found = count(x, y);
        (found > MAY_DIFFER).then(|| format!("{found} of 256 blocks at {}, {}", x * SHRUNK, y * SHRUNK))
    };
    squares.into_iter().find_map(place)
}

/// The page of the file of results `name`.
fn page(folder: &Path, name: &str) -> String {
    html_page(&fs::read_to_string(folder.join(name)).unwrap(), name).unwrap()
}

/// Golden pictures and files of results; a published package goes without.
fn golden() -> Option<PathBuf> {
    let folder = repository().join("tests/pages");
    if !folder.exists() && repository().join("Cargo.toml.orig").exists() {
        eprintln!("golden pictures are not part of the package: pages are not compared with them");
        return None;
    }
    Some(folder)
}

/// Compares a page with its golden picture, or writes that; what was painted stays where the message says.
fn check(folder: &Path, name: &str, page: &str, dark: bool) {
    let Some(painted) = painted(page, dark) else { return };
    let found = shrunk(&painted);
    let golden = folder.join(format!("{name}.png"));
    if std::env::var_os("SPIQ_UPDATE_PICTURES").is_some() {
        let file = fs::File::create(golden).unwrap();
        let small = PngEncoder::new_with_quality(file, CompressionType::Best, FilterType::NoFilter);
        found.write_with_encoder(small).unwrap();
        return;
    }
    let wanted = image::open(golden).unwrap().into_rgb8();
    if let Some(place) = difference(&wanted, &found) {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.png"));
        painted.save(&kept).unwrap();
        panic!(
            "{name}: {place}; look at {}, and SPIQ_UPDATE_PICTURES=1 makes it the golden one",
            kept.display()
        );
    }
}

#[test]
fn pages_look_as_they_did() {
    let (Some(folder), Some(version)) = (golden(), major_version()) else { return };
    let painter = folder.join("chromium-version");
    if std::env::var_os("SPIQ_UPDATE_PICTURES").is_some() {
        fs::write(&painter, format!("{version}\n")).unwrap();
    }
    let of_golden = fs::read_to_string(&painter).unwrap();
    if of_golden.trim() != version.to_string() {
        eprintln!("golden pictures are of Chromium {}: pages are not compared with them", of_golden.trim());
        return;
    }
    for kind in ["report", "comparison", "search", "exploration"] {
        check(&folder, kind, &page(&folder, &format!("{kind}.json")), false);
    }
    check(&folder, "report-dark", &page(&folder, "report.json"), true);
}

/// A section in another place, a chart that is missing, and one whose points are: each is seen.
#[test]
fn what_moved_or_is_missing_is_seen() {
    let Some(folder) = golden() else { return };
    let whole = page(&folder, "report.json");
    let before = |id: &str| whole.find(&format!("<section id=\"{id}\"")).unwrap();
    let (first, second, third) = (before("units"), before("bits"), before("rates"));
    let moved = [&whole[..first], &whole[second..third], &whole[first..second], &whole[third..]].concat();
    let hidden = |style: &str| whole.replacen("</head>", &format!("<style>{style}</style></head>"), 1);
    let changed = [
        ("moved", moved),
        ("no chart", hidden("#roofline-chart{visibility:hidden}")),
        ("no points", hidden("#roofline-chart circle{visibility:hidden}")),
        ("no colours", hidden(".parts i{background:none!important}")),
        ("one wide column", hidden("td{padding-right:3rem!important}")),
    ];
    let Some(wanted) = painted(&whole, false).map(|picture| shrunk(&picture)) else { return };
    assert_eq!(difference(&wanted, &wanted), None);
    for (what, page) in changed {
        let found = shrunk(&painted(&page, false).unwrap());
        assert!(difference(&wanted, &found).is_some(), "{what}");
    }
    // Edges that are smoothed otherwise are no difference.
    let smoothed = hidden("main{filter:blur(0.6px)}");
    assert_eq!(difference(&wanted, &shrunk(&painted(&smoothed, false).unwrap())), None);
}

#[test]
fn base64_by_hand() {
    assert_eq!(
        ["", "f", "fo", "foo", "foob"].map(|text| base64(text.as_bytes())),
        ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg=="]
    );
}
