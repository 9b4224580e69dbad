"""The explorer page: its files, what it may load, and that it works in a real browser that reaches nothing else."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from api.app import App
from api.http.explorer import ASSETS, FOLDER
from tests.api.conftest import settings_for

HTML = {"accept": "text/html,application/xhtml+xml"}


async def test_browsers_get_the_page_and_programs_a_hint(http: httpx.AsyncClient) -> None:
    page = await http.get("/graphql", headers=HTML)
    hint = await http.get("/graphql")

    assert page.status_code == 200
    assert "explorer.js" in page.text
    assert hint.status_code == 405
    assert (await http.get("/", follow_redirects=False)).headers["location"] == "/graphql"


async def test_the_page_may_load_nothing_from_elsewhere(http: httpx.AsyncClient) -> None:
    page = await http.get("/graphql", headers=HTML)

    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "https:" not in page.text.replace("https://", "")
    assert "//" not in page.text.replace("<!--", "")


async def test_its_files_are_served_and_nothing_beside_them(http: httpx.AsyncClient) -> None:
    for name in ASSETS:
        answer = await http.get(f"/graphql/assets/{name}")
        assert answer.status_code == 200
        assert answer.content == (FOLDER / name).read_bytes()
    for name in ("__init__.py", "explorer.html", "..%2fhealth.py", "nothing.js"):
        assert (await http.get(f"/graphql/assets/{name}")).status_code == 404


def test_the_licences_lie_beside_the_files() -> None:
    for name in ("graphiql.LICENSE.txt", "react.LICENSE.txt"):
        assert "MIT License" in (FOLDER / name).read_text()


async def test_it_can_be_switched_off(api_database: str, tmp_path: Path) -> None:
    app = App(settings_for(api_database, tmp_path, explorer=False))
    await app.start()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://clarion.test") as http:
        assert (await http.get("/graphql", headers=HTML)).status_code == 405
        assert (await http.get("/graphql/assets/explorer.js")).status_code == 404
    await app.stop()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    """A real browser with a fresh profile."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver is None:
        message = "no browser is installed: apt-get install chromium chromium-driver"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    options = Options()
    options.binary_location = binary
    for flag in (
        "headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
        "disable-component-update", "disable-sync", "window-size=1400,900", f"user-data-dir={tmp_path / 'browser'}",
    ):  # fmt: skip
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    opened = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield opened
    finally:
        opened.quit()


def explore(browser: webdriver.Chrome, address: str, token: str) -> tuple[str, str, list[str]]:
    """Open the page, give it the token and run its first query; who one is, the result, and the browser's complaints."""
    wait = WebDriverWait(browser, 30)
    browser.get(f"{address}/graphql")
    wait.until(lambda page: page.find_elements(By.CSS_SELECTOR, ".graphiql-execute-button"))
    browser.find_element(By.ID, "token").send_keys(token)
    browser.find_element(By.CSS_SELECTOR, "#identity button").click()
    wait.until(lambda page: "token:" in page.find_element(By.ID, "viewer").text)
    # The schema has come when the documentation knows the root type.
    browser.find_element(By.CSS_SELECTOR, ".graphiql-sidebar button").click()
    wait.until(lambda page: "Query" in page.find_element(By.CSS_SELECTOR, ".graphiql-doc-explorer-content").text)
    browser.find_element(By.CSS_SELECTOR, ".graphiql-execute-button").click()
    wait.until(lambda page: '"permissions"' in page.find_element(By.CSS_SELECTOR, ".result-window").text)
    complaints = [entry["message"] for entry in browser.get_log("browser")]  # type: ignore[no-untyped-call]
    result: str = browser.find_element(By.CSS_SELECTOR, ".result-window").text
    return browser.find_element(By.ID, "viewer").text, result, complaints


async def test_the_explorer_works_in_a_browser(browser: webdriver.Chrome, served: str, admin_token: str) -> None:
    viewer, result, complaints = await asyncio.to_thread(explore, browser, served, admin_token)

    assert viewer.startswith("A test (token:")
    assert '"ADMINISTER"' in result
    # Before the token was given its schema was refused; nothing else went wrong, the content policy included.
    assert [one for one in complaints if "401" not in one] == []
