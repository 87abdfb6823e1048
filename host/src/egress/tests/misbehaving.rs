//! Servers that stall, break off, flood or lie: each is a typed error within its time, with what is known about the effect.

use std::io::Write;
use std::time::Instant;

use super::*;

#[tokio::test]
async fn nobody_listening_means_nothing_was_sent() {
    let rig = rig();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let outcome = rig.send(&local(&origin), post(&format!("{origin}/"), "x")).await;
    assert!(matches!(outcome, Err(Error::Network { sent: Sent::No, .. })), "{outcome:?}");
    let unknown = rig.send(&scope(&["https://nowhere.example.com"]), post("https://nowhere.example.com/", "x")).await;
    assert!(matches!(unknown, Err(Error::Network { sent: Sent::No, .. })), "{unknown:?}");
}

#[tokio::test]
async fn a_failed_handshake_means_nothing_was_sent() {
    let rig = rig();
    let server = Server::new(|_, mut stream, _| async move {
        let _ = stream.write_all(b"this is not TLS at all, sorry").await;
    })
    .await;
    let origin = server.origin.replace("http://", "https://");
    let outcome = rig.send(&local(&origin), post(&format!("{origin}/"), "x")).await;
    assert!(matches!(outcome, Err(Error::Network { sent: Sent::No, .. })), "{outcome:?}");
}

#[tokio::test]
async fn a_reset_after_the_request_leaves_the_effect_open() {
    let rig = rig();
    let server = Server::new(|_, mut stream, _| async move {
        read_request(&mut stream).await;
        // Dropped without an answer.
    })
    .await;
    let outcome = rig.send(&local(&server.origin), post(&format!("{}/", server.origin), "x")).await;
    assert!(matches!(outcome, Err(Error::Network { sent: Sent::Maybe, .. })), "{outcome:?}");
    assert_eq!(server.connects(), 1, "a request that may have taken effect is not repeated");
}

#[tokio::test]
async fn silence_ends_after_the_time_to_the_first_byte() {
    let rig = rig();
    let server = Server::new(|_, mut stream, _| async move {
        read_request(&mut stream).await;
        tokio::time::sleep(Duration::from_secs(30)).await;
    })
    .await;
    let started = Instant::now();
    let outcome = rig.send(&local(&server.origin), post(&format!("{}/", server.origin), "x")).await;
    assert!(matches!(outcome, Err(Error::Network { sent: Sent::Maybe, .. })), "{outcome:?}");
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_dripping_body_ends_by_its_pauses_or_by_the_whole_time() {
    let rig = rig();
    for pause in [20, 600] {
        let server = Server::new(move |_, mut stream, _| async move {
            read_request(&mut stream).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n").await;
            while stream.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
        })
        .await;
        let started = Instant::now();
        let request = Request { timeout: Some(Duration::from_millis(900)), ..get(&format!("{}/", server.origin)) };
        let outcome = rig.send(&local(&server.origin), request).await;
        assert!(matches!(outcome, Err(Error::Network { .. })), "{outcome:?}");
        assert!(started.elapsed() < Duration::from_millis(1_500), "{:?}", started.elapsed());
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_taken_for_whole() {
    let rig = rig();
    for head in ["content-length: 100\r\n", "transfer-encoding: chunked\r\n"] {
        let server = Server::scripted(vec![format!("HTTP/1.1 200 OK\r\n{head}\r\n5\r\nhello\r\n").into_bytes()]).await;
        let outcome = rig.send(&local(&server.origin), get(&format!("{}/", server.origin))).await;
        assert!(matches!(outcome, Err(Error::Network { sent: Sent::Maybe, .. })), "{outcome:?}");
    }
}

#[tokio::test]
async fn too_much_is_refused_packed_or_not() {
    let rig = rig();
    let plain = Server::scripted(vec![ok("", &vec![b'x'; (1 << 20) + 1])]).await;
    let outcome = rig.send(&local(&plain.origin), get(&format!("{}/", plain.origin))).await;
    assert!(matches!(&outcome, Err(Error::Remote(text)) if text.contains("larger")), "{outcome:?}");
    assert_eq!(outcome.unwrap_err().sent(), Sent::Maybe);

    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&vec![0u8; 64 << 20]).unwrap();
    let bomb = Server::scripted(vec![ok("content-encoding: gzip\r\n", &gzip.finish().unwrap())]).await;
    let outcome = rig.send(&local(&bomb.origin), get(&format!("{}/", bomb.origin))).await;
    assert!(matches!(&outcome, Err(Error::Remote(text)) if text.contains("100 times")), "{outcome:?}");

    let endless = Server::new(|_, mut stream, _| async move {
        read_request(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
        while stream.write_all(format!("10000\r\n{}\r\n", "y".repeat(65_536)).as_bytes()).await.is_ok() {}
    })
    .await;
    let outcome = rig.send(&local(&endless.origin), get(&format!("{}/", endless.origin))).await;
    assert!(matches!(outcome, Err(Error::Remote(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_flood_of_headers_is_refused() {
    let rig = rig();
    let many: String = (0..5_000).map(|n| format!("x-{n}: {n}\r\n")).collect();
    let long = format!("x-long: {}\r\n", "z".repeat(100_000));
    for flood in [many, long] {
        let server = Server::scripted(vec![ok(&flood, b"x")]).await;
        let outcome = rig.send(&local(&server.origin), get(&format!("{}/", server.origin))).await;
        assert!(matches!(outcome, Err(Error::Remote(_) | Error::Network { .. })), "{outcome:?}");
    }
}

#[tokio::test]
async fn what_is_no_http_is_a_network_error() {
    let rig = rig();
    for noise in [
        "",
        "\0\0\0\0",
        "SSH-2.0-x\r\n",
        "HTTP/1.1 abc\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
    ] {
        let server = Server::scripted(vec![noise.as_bytes().to_vec()]).await;
        let outcome = rig.send(&local(&server.origin), get(&format!("{}/", server.origin))).await;
        assert!(matches!(outcome, Err(Error::Network { .. })), "{noise:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn errors_of_the_channel_are_answers() {
    let rig = rig();
    for line in ["400 Bad Request", "403 Forbidden", "404 Not Found", "409 Conflict", "418 Teapot", "500 Oops", "503 Busy"] {
        let server = Server::scripted(vec![status(line, "x-Reason: Because\r\n", b"{}")]).await;
        let answer = rig.send(&local(&server.origin), get(&format!("{}/", server.origin))).await.unwrap();
        assert_eq!((answer.status.to_string().as_str(), answer.header("x-reason")), (&line[..3], Some("Because")));
    }
}
